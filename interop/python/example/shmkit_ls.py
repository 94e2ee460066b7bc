"""shmkit_ls.py NAME: prints the members of a region and its pipes, as an outside tool may.

It maps the file for reading, takes no slot and no lock, and leaves no trace. Needs Python 3.9 on 64-bit Linux and
nothing else. What it prints is what interop/c/example/shmkit_ls.c prints.
"""

import fcntl
import mmap
import os
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import shmkit_layout as layout  # noqa: E402

# Of <fcntl.h>; Python's module has it from 3.9 on where the C library does.
F_OFD_GETLK = getattr(fcntl, "F_OFD_GETLK", 36)
# struct flock: type, whence, start, length, pid.
FLOCK = struct.Struct("hh4xqqi4x")


class Region:
    def __init__(self, name: str):
        path = f"{layout.DIRECTORY}/{layout.PREFIX}{name}"
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        size = os.fstat(self.descriptor).st_size
        if size < layout.REGION_HEADER_SIZE:
            raise SystemExit(f"{path} is no region")
        self.bytes = mmap.mmap(self.descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ)
        if (self.header("magic0"), self.header("magic1")) != (layout.MAGIC_0, layout.MAGIC_1):
            raise SystemExit(f"{path} is no region")
        if self.header("byte_order") != layout.BYTE_ORDER_MARK or self.header("layout_version") != layout.LAYOUT_VERSION:
            raise SystemExit(f"{path} has layout version {self.header('layout_version')}")

    def read(self, fields, name: str, base: int):
        return fields[name].read(self.bytes, base)

    def header(self, name: str):
        return self.read(layout.REGION_HEADER, name, 0)

    def text(self, fields, name: str, base: int, length: int) -> str:
        return self.read(fields, name, base)[:length].decode()

    def is_alive(self, slot: int) -> bool:
        """Whether somebody holds the liveness byte of a slot."""
        probe = FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, layout.LOCK_BASE + 1 + slot, 1, 0)
        return FLOCK.unpack(fcntl.fcntl(self.descriptor, F_OFD_GETLK, probe))[0] != fcntl.F_UNLCK

    def members(self):
        fields = layout.MEMBER_SLOT
        table = self.header("member_table_page") * layout.PAGE_BYTES
        for slot in range(self.header("max_members")):
            base = table + slot * layout.SLOT_BYTES
            if self.read(fields, "state", base) == layout.SLOT_STATE_FREE:
                continue
            operation = layout.OPERATIONS[layout.operation_code(self.read(fields, "operation", base))]
            label = self.text(fields, "label", base, self.read(fields, "label_bytes", base))
            alive = "alive" if self.is_alive(slot) else "dead"
            yield f"member {slot} {alive} pid {self.read(fields, 'pid', base)} operation {operation} label {label}"

    def totals(self, base: int, counter: str, messages: str):
        """The total of the copy that the counter selects, read again if it moved meanwhile."""
        while True:
            before = self.read(layout.PIPE, counter, base)
            total = self.read(layout.PIPE, messages, base + (before & 1) * layout.COPY_BYTES)
            if self.read(layout.PIPE, counter, base) == before:
                return int(total)

    def pipe(self, name: str, base: int) -> str:
        sent = self.totals(base, "sent", "sent_total0")
        received = self.totals(base, "received", "received_total0")
        leases = base + self.read(layout.PIPE, "lease_offset", base)
        lease_bytes = self.read(layout.PIPE, "lease_bytes", base)
        states = [
            layout.lease_state(self.read(layout.LEASE_SLOT, "state", leases + i * lease_bytes))
            for i in range(self.read(layout.PIPE, "max_leased", base))
        ]
        depth = max(0, sent - received) + states.count(layout.LEASE_STATE_RETURNED)
        closed = " closed" if self.read(layout.PIPE, "closed", base) != 0 else ""
        return (
            f"pipe {name} depth {depth} capacity {self.read(layout.PIPE, 'capacity', base)} sent {sent} "
            f"received {received} leased {states.count(layout.LEASE_STATE_HELD)}{closed}"
        )

    def pipes(self):
        fields = layout.DIRECTORY_ENTRY
        for k, page in enumerate(self.header("directory_segments")):
            if page == 0:
                return
            for i in range(layout.FIRST_SEGMENT_ENTRIES << k):
                base = page * layout.PAGE_BYTES + i * layout.ENTRY_BYTES
                live = self.read(fields, "state", base) == layout.ENTRY_STATE_LIVE
                if live and layout.KINDS[self.read(fields, "kind", base)] == "pipe":
                    name = self.text(fields, "name", base, self.read(fields, "name_bytes", base))
                    yield self.pipe(name, self.read(fields, "page", base) * layout.PAGE_BYTES)


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit("usage: shmkit_ls.py NAME")
    name = sys.argv[1]
    region = Region(name)
    committed, largest = region.header("committed_pages"), region.header("max_pages")
    print(f"region {name} layout {region.header('layout_version')} pages {committed} of {largest}")
    for line in (*region.members(), *region.pipes()):
        print(line)


main()
