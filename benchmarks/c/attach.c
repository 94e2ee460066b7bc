/* attach FILE: opens a file, looks at it, maps it, locks a byte of it, reads a word; and takes all of it back. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int attach_main(int count, char **arguments) {
  struct run run = parse_run(count, arguments);
  const char *path = arguments[1];
  struct samples samples = samples_for(&run);
  uint32_t attached = 0;
  while (samples_open(&samples)) {
    struct stat facts;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)1 << 52, .l_len = 1};
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || fstat(file, &facts) != 0) fail("%s: %s", path, strerror(errno));
    const volatile uint32_t *words = mmap(NULL, (size_t)facts.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (words == MAP_FAILED || fcntl(file, F_OFD_SETLK, &lock) != 0) fail("%s: %s", path, strerror(errno));
    attached += words[0] == 0x4b4d4853;
    samples_add(&samples, 1);
    munmap((void *)words, (size_t)facts.st_size);
    close(file);
  }
  if (attached < samples.count) fail("attach: the file is no region");
  samples_report(&samples, attached);
  return 0;
}
