import { checkResult } from "../base/system-errors.js";
import { native } from "./addon.js";

/** 32 random bits, unsigned. @see getrandom(2) */
export const randomWord = (): number => checkResult(native.randomWord(), "getrandom");

/** Eight random hexadecimal digits, for names that are to be free. */
export const randomHex = (): string => randomWord().toString(16).padStart(8, "0");
