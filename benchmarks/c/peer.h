/*
 * A member of a region, in C, by docs/layout.md alone: it joins, opens pipes and mutexes that somebody else made, takes
 * the same locks and makes the same stores as the library, sleeps on its doorbell and rings others. It recovers nobody
 * and takes no message that came back from a lease (both are left to members that can), and its messages must fit the
 * ring.
 */
#ifndef PEER_H
#define PEER_H

#include "bench.h"
#include "shmkit_layout.h"

struct peer {
  uint8_t *bytes;
  size_t length;
  struct shmkit_region_header *header;
  struct shmkit_member_slot *slots;
  struct shmkit_member_slot *own;
  uint32_t slot;
  uint32_t set_words;
  int descriptor;
  int liveness;
  /* Attempts before a wait sleeps. */
  int spins;
  /* By slot: the armed word and the doorbell as this member's last ring found and left them. */
  uint32_t rung_armed[SHMKIT_MEMBER_LIMIT];
  uint32_t rung_bell[SHMKIT_MEMBER_LIMIT];
};

struct peer_object {
  struct shmkit_directory_entry *entry;
  uint32_t index;
  void *at;
};

void peer_join(struct peer *peer, const char *region, const char *label);
void peer_leave(struct peer *peer);
/* Waits until the object is there. */
struct peer_object peer_open(struct peer *peer, uint32_t kind, const char *name);
void peer_detach(struct peer *peer, const struct peer_object *object);

/* Sleeps while there is no place. */
void peer_send(struct peer *peer, const struct peer_object *pipe, const void *message, uint32_t length);
/* Sleeps while there is no message; answers its length, which `limit` must allow. */
uint32_t peer_receive(struct peer *peer, const struct peer_object *pipe, void *message, uint32_t limit);

void peer_lock(struct peer *peer, const struct peer_object *mutex);
uint32_t peer_word(const struct peer_object *mutex, uint32_t index);
void peer_set_word(const struct peer_object *mutex, uint32_t index, uint32_t value);
void peer_unlock(struct peer *peer, const struct peer_object *mutex);

#endif
