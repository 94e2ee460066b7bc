/* Notices of messages that arrive in an empty POSIX message queue, and descriptors of queues that are closed without ending them. */
#ifndef SHMKIT_QUEUE_NOTICES_H
#define SHMKIT_QUEUE_NOTICES_H

/*
 * Closes a descriptor that no user knows of, later if need be: the system ends the registration of a process that closes any
 * descriptor of the queue. On any thread.
 */
void queue_release(int queue);

#endif
