/*
 * What is done with a semaphore of the C library's that lies in memory which others may cut off or write over at any time: each answers
 * -EIO when the page is gone, and -EINVAL for bytes that no semaphore has.
 */
#ifndef SHMKIT_SEMAPHORE_WORDS_H
#define SHMKIT_SEMAPHORE_WORDS_H

#include "platform.h"

struct placed;

/* Takes 1: 0, or -EAGAIN when it is 0. */
int64_t semaphore_take(const struct placed *semaphore);
/* Adds 1 and wakes one who waits: 0, or -EOVERFLOW. */
int64_t semaphore_give(const struct placed *semaphore);
int64_t semaphore_value(const struct placed *semaphore);
/* Takes 1, and sleeps for so long at most while it is 0: 0, or -EINTR when it took none. */
int64_t semaphore_wait(const struct placed *semaphore, double milliseconds);

#endif
