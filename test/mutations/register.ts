/** `--import` this: the library that is loaded after it has every mutation in it. */
import { register } from "node:module";

register("./hook.js", import.meta.url);
