/** Where POSIX shared memory lives on Linux (shm_overview(7)). */
export const DIRECTORY = "/dev/shm";
/** Every region's file name begins so: `shm_open("/shmkit.NAME")` opens it from other languages. */
export const PREFIX = "shmkit.";
