/** For `require("shmkit")`: the same module, asked for from inside the package, of which Node makes no warning. */
import shmkit = require("#shmkit");

export = shmkit;
