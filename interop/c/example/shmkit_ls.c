/*
 * shmkit_ls NAME: prints the members of a region and its pipes, as an outside tool may: it maps the file for reading,
 * takes no slot and no lock, and leaves no trace. Needs nothing but shmkit_layout.h and Linux.
 *
 *     cc -std=c11 -I.. -o shmkit_ls shmkit_ls.c && ./shmkit_ls my-region
 *
 * What it reads may change under it, or be the bytes of a broken file: every number is checked before it is used as an
 * index, and what must belong together is read again until it does. A region that is truncated meanwhile still ends
 * this process by SIGBUS; the library has a handler for that, a tool that reads only may live without.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shmkit_layout.h"

struct region {
  int descriptor;
  const uint8_t *bytes;
  size_t length;
  const struct shmkit_region_header *header;
};

static _Noreturn void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("shmkit_ls: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(1);
}

/* A word that others change: one load, and nothing after it is read before it. */
static uint32_t load(const uint32_t *word) {
  return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

/* `length` bytes at `offset` of the file, which must have them. */
static const void *at(const struct region *region, uint64_t offset, uint64_t length) {
  if (offset > region->length || length > region->length - offset) fail("the region is corrupt: it points beyond its end");
  return region->bytes + offset;
}

static struct region open_region(const char *name) {
  char path[512];
  struct stat facts;
  struct region region = {0};
  snprintf(path, sizeof path, "%s/%s%s", SHMKIT_DIRECTORY, SHMKIT_PREFIX, name);
  region.descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (region.descriptor < 0 || fstat(region.descriptor, &facts) != 0) fail("%s: %s", path, strerror(errno));
  region.length = (size_t)facts.st_size;
  if (!S_ISREG(facts.st_mode) || region.length < sizeof *region.header) fail("%s is no region", path);
  region.bytes = mmap(NULL, region.length, PROT_READ, MAP_SHARED, region.descriptor, 0);
  if (region.bytes == MAP_FAILED) fail("%s: %s", path, strerror(errno));
  region.header = (const struct shmkit_region_header *)region.bytes;
  const struct shmkit_region_header *header = region.header;
  if (header->magic0 != SHMKIT_MAGIC_0 || header->magic1 != SHMKIT_MAGIC_1) fail("%s is no region", path);
  if (header->byte_order != SHMKIT_BYTE_ORDER_MARK) fail("%s has a foreign byte order", path);
  if (header->layout_version != SHMKIT_LAYOUT_VERSION) fail("%s has layout version %u", path, header->layout_version);
  if (header->max_members == 0 || header->max_members > SHMKIT_MEMBER_LIMIT) fail("%s is corrupt", path);
  return region;
}

/* Whether somebody holds the liveness byte of a slot. */
static int is_alive(const struct region *region, uint32_t slot) {
  struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = SHMKIT_LOCK_BASE + 1 + slot, .l_len = 1};
  if (fcntl(region->descriptor, F_OFD_GETLK, &probe) != 0) fail("fcntl: %s", strerror(errno));
  return probe.l_type != F_UNLCK;
}

static void print_text(const uint8_t *text, uint32_t length, uint32_t limit) {
  printf("%.*s", (int)(length < limit ? length : limit), (const char *)text);
}

static void print_members(const struct region *region) {
  static const char *const operations[] = SHMKIT_OPERATION_NAMES;
  uint32_t count = region->header->max_members;
  const struct shmkit_member_slot *slots =
      at(region, (uint64_t)region->header->member_table_page * SHMKIT_PAGE_BYTES, (uint64_t)count * sizeof *slots);
  for (uint32_t i = 0; i < count; i++) {
    const struct shmkit_member_slot *slot = &slots[i];
    if (load(&slot->state) == SHMKIT_SLOT_STATE_FREE) continue;
    uint32_t code = SHMKIT_OPERATION_CODE(load(&slot->operation));
    const char *operation = code < sizeof operations / sizeof *operations ? operations[code] : "unknown";
    printf("member %u %s pid %u operation %s label ", i, is_alive(region, i) ? "alive" : "dead", slot->pid, operation);
    print_text(slot->label, slot->label_bytes, SHMKIT_LABEL_BYTES);
    putchar('\n');
  }
}

/* The figures of one side of a pipe: those of the copy that its counter selects, read again if it moved meanwhile. */
struct totals {
  double messages;
  double bytes;
};

static struct totals read_totals(const uint32_t *counter, const double *messages, const double *bytes) {
  const size_t copy = SHMKIT_COPY_BYTES / sizeof(double);
  for (;;) {
    uint32_t before = load(counter);
    size_t skip = (before & 1) * copy;
    struct totals totals = {messages[skip], bytes[skip]};
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (load(counter) == before) return totals;
  }
}

static uint32_t count_leases(const struct region *region, uint64_t pipe_offset, const struct shmkit_pipe *pipe, uint32_t state) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < pipe->max_leased; i++) {
    const struct shmkit_lease_slot *lease =
        at(region, pipe_offset + pipe->lease_offset + (uint64_t)i * pipe->lease_bytes, sizeof *lease);
    count += SHMKIT_LEASE_STATE(load(&lease->state)) == state;
  }
  return count;
}

static void print_pipe(const struct region *region, const struct shmkit_directory_entry *entry) {
  uint64_t offset = (uint64_t)entry->page * SHMKIT_PAGE_BYTES;
  const struct shmkit_pipe *pipe = at(region, offset, sizeof *pipe);
  struct totals in = read_totals(&pipe->sent, &pipe->sent_total0, &pipe->sent_bytes0);
  struct totals out = read_totals(&pipe->received, &pipe->received_total0, &pipe->received_bytes0);
  uint32_t returned = count_leases(region, offset, pipe, SHMKIT_LEASE_STATE_RETURNED);
  double depth = (in.messages > out.messages ? in.messages - out.messages : 0) + returned;
  printf("pipe ");
  print_text(entry->name, entry->name_bytes, sizeof entry->name);
  printf(" depth %.0f capacity %u sent %.0f received %.0f leased %u%s\n", depth, pipe->capacity, in.messages, out.messages,
         count_leases(region, offset, pipe, SHMKIT_LEASE_STATE_HELD), load(&pipe->closed) != 0 ? " closed" : "");
}

static void print_pipes(const struct region *region) {
  for (uint32_t k = 0; k < SHMKIT_DIRECTORY_SEGMENTS; k++) {
    uint32_t page = load(&region->header->directory_segments[k]);
    if (page == 0) return;
    uint32_t count = (uint32_t)SHMKIT_FIRST_SEGMENT_ENTRIES << k;
    const struct shmkit_directory_entry *entries =
        at(region, (uint64_t)page * SHMKIT_PAGE_BYTES, (uint64_t)count * sizeof *entries);
    for (uint32_t i = 0; i < count; i++) {
      if (load(&entries[i].state) != SHMKIT_ENTRY_STATE_LIVE) continue;
      /* The entry may be reused while it is copied: then its state or its generation differs afterwards. */
      struct shmkit_directory_entry copy = entries[i];
      __atomic_thread_fence(__ATOMIC_ACQUIRE);
      if (load(&entries[i].state) != SHMKIT_ENTRY_STATE_LIVE || entries[i].generation != copy.generation) continue;
      if (copy.kind == SHMKIT_KIND_PIPE) print_pipe(region, &copy);
    }
  }
}

int main(int count, char **arguments) {
  if (count != 2) fail("usage: shmkit_ls NAME");
  struct region region = open_region(arguments[1]);
  printf("region %s layout %u pages %u of %u\n", arguments[1], region.header->layout_version,
         load(&region.header->committed_pages), region.header->max_pages);
  print_members(&region);
  print_pipes(&region);
  return 0;
}
