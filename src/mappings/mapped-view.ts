import { ArgumentError, ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { show, wholeNumber } from "../base/arguments.js";
import { systemError } from "../base/system-errors.js";
import type { Cursor } from "../memory/structs/cursor.js";
import { fieldType, type FieldType, type StructOf } from "../memory/structs/field-type.js";
import {
  bool,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  uint16,
  uint32,
  uint64,
  uint8,
} from "../memory/structs/scalars.js";
import { Struct, type Fields, type LiveRecord, type ValuesOf } from "../memory/structs/struct.js";
import { StatusWord } from "../native/contract.js";
import { mmap, msync, msyncSync } from "../os/posix/memory.js";
import { owned, unmap, type MemoryRange } from "../os/raw-memory.js";
import { SystemCallError } from "../os/system-call-error.js";
import { RIGHTS, writesFile, type MapAccess } from "./access.js";
import type { MapSource } from "./map-source.js";

/** What a view shows of its file. */
export interface ViewPlan {
  readonly source: MapSource;
  readonly offset: number;
  readonly size: number;
  readonly access: MapAccess;
}

/** Views begin at a multiple of this in the file: of the largest page that Linux has on any machine, and of what Windows takes. */
const PAGE_BYTES = 65536;

/** Who has only the bytes of a view keeps the file as well, and the name. */
const sources = new WeakMap<ArrayBufferLike, MapSource>();

function mapped({ source, size, access }: ViewPlan, begin: number, pointerOffset: number): ArrayBuffer {
  const { prot, flags } = RIGHTS[access];
  try {
    return mmap(size + pointerOffset, prot, flags, source.descriptor, begin);
  } catch (error) {
    if (error instanceof SystemCallError) throw systemError(error.errno, error.syscall, source.path);
    throw error;
  }
}

/**
 * A part of a {@link MemoryMappedFile} in memory: the `MemoryMappedViewAccessor` of .NET. Positions count bytes from its
 * beginning and need not be aligned; numbers are little-endian. It is closed by itself and outlives its map.
 *
 * Every read and write throws ERR_CLOSED after {@link close}, ERR_OUT_OF_RANGE where not all of the value lies in the view,
 * ERR_PERMISSION for what its access does not allow, and ERR_MAPPING_LOST when the file was cut off under it or the disk is
 * full; writes ERR_OUT_OF_RANGE and ERR_INVALID_ARGUMENT for a wrong value, too.
 */
export class MappedView {
  /** Bytes. */
  readonly capacity: number;
  /** What may be done with it. */
  readonly access: MapAccess;
  /**
   * How many bytes are mapped before its first one: its offset in the file modulo 65,536, whatever the size of a page is. (.NET
   * rounds to the page.) They lie in the buffer of {@link bytes}, before it.
   */
  readonly pointerOffset: number;
  /**
   * The memory itself, for loops over much of it. Nothing is checked here: a lost or closed view reads zeroes, and writes to
   * one for reading only reach nobody and hide others' later changes of that page. {@link check} says whether all was well.
   * The calls of `shmkit/posix` that take memory take it, but for `munmap`: {@link close} is what unmaps it.
   */
  readonly bytes: Uint8Array;
  private readonly source: MapSource;
  private readonly range: MemoryRange;
  declare private readonly data: DataView;
  declare private readonly status: Int32Array;
  // Declared: a field that is undefined first is one of which the engine knows nothing later.
  /** Where reading, and writing, ends: 0 where it is not allowed, or not any more. */
  declare private readEnd: number;
  declare private writeEnd: number;

  /** @internal */
  constructor(plan: ViewPlan) {
    const { source, offset, size, access } = plan;
    const begin = Math.floor(offset / PAGE_BYTES) * PAGE_BYTES;
    this.pointerOffset = offset - begin;
    const memory = mapped(plan, begin, this.pointerOffset);
    this.source = source.retain();
    this.capacity = size;
    this.access = access;
    this.bytes = new Uint8Array(memory, this.pointerOffset, size);
    sources.set(memory, source);
    this.data = new DataView(memory, this.pointerOffset, size);
    this.range = owned(memory);
    this.status = this.range.memory.status;
    this.readEnd = RIGHTS[access].reads ? size : 0;
    this.writeEnd = RIGHTS[access].writes ? size : 0;
  }

  private get isClosed(): boolean {
    return this.readEnd === 0 && this.writeEnd === 0;
  }

  private refuseLost(): never {
    const { path } = this.source;
    throw new ShmkitError(
      "ERR_MAPPING_LOST",
      `${path} was cut off under its mapping, or its disk is full; close the view`,
      { path },
    );
  }

  private refuseClosed(): void {
    const { path } = this.source;
    if (this.isClosed) throw new ShmkitError("ERR_CLOSED", `the view of ${path} is closed`, { path });
  }

  /** @throws ERR_CLOSED, ERR_MAPPING_LOST */
  check(): void {
    this.refuseClosed();
    if (this.status[StatusWord.lost] !== 0) this.refuseLost();
  }

  /** A position with room for so many bytes. */
  private place(position: unknown, bytes: number, reads: boolean): number {
    this.refuseClosed();
    const { path } = this.source;
    if ((reads ? this.readEnd : this.writeEnd) === 0)
      throw new ShmkitError(
        "ERR_PERMISSION",
        `this view of ${path} is for "${this.access}": it cannot be ${reads ? "read" : "written"}`,
        {
          path,
          actual: this.access,
        },
      );
    const at = wholeNumber(position, "position", 0, this.capacity - 1);
    if (bytes > this.capacity - at)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `${bytes} bytes at position ${at} do not fit the view, which has ${this.capacity}`,
        {
          expected: this.capacity,
          actual: at + bytes,
        },
      );
    return at;
  }

  /** Reads a Boolean: true or false, of one byte. */
  readBoolean(position: number): boolean {
    const at = position >>> 0 === position && position <= this.readEnd - 1 ? position : this.place(position, 1, true);
    const value = this.data.getUint8(at) !== 0;
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a Boolean: true or false, of one byte. */
  writeBoolean(position: number, value: boolean): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 1 ? position : this.place(position, 1, false);
    if (!bool.format.accepts(value)) bool.refuse(value, undefined, "value");
    this.data.setUint8(at, value ? 1 : 0);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 8 bits, signed. */
  readInt8(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 1 ? position : this.place(position, 1, true);
    const value = this.data.getInt8(at);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 8 bits, signed. */
  writeInt8(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 1 ? position : this.place(position, 1, false);
    if (!int8.format.accepts(value)) int8.refuse(value, undefined, "value");
    this.data.setInt8(at, value);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 8 bits. */
  readUint8(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 1 ? position : this.place(position, 1, true);
    const value = this.data.getUint8(at);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 8 bits. */
  writeUint8(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 1 ? position : this.place(position, 1, false);
    if (!uint8.format.accepts(value)) uint8.refuse(value, undefined, "value");
    this.data.setUint8(at, value);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 16 bits, signed. */
  readInt16(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 2 ? position : this.place(position, 2, true);
    const value = this.data.getInt16(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 16 bits, signed. */
  writeInt16(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 2 ? position : this.place(position, 2, false);
    if (!int16.format.accepts(value)) int16.refuse(value, undefined, "value");
    this.data.setInt16(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 16 bits. */
  readUint16(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 2 ? position : this.place(position, 2, true);
    const value = this.data.getUint16(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 16 bits. */
  writeUint16(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 2 ? position : this.place(position, 2, false);
    if (!uint16.format.accepts(value)) uint16.refuse(value, undefined, "value");
    this.data.setUint16(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 32 bits, signed. */
  readInt32(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 4 ? position : this.place(position, 4, true);
    const value = this.data.getInt32(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 32 bits, signed. */
  writeInt32(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 4 ? position : this.place(position, 4, false);
    if (!int32.format.accepts(value)) int32.refuse(value, undefined, "value");
    this.data.setInt32(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 32 bits. */
  readUint32(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 4 ? position : this.place(position, 4, true);
    const value = this.data.getUint32(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 32 bits. */
  writeUint32(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 4 ? position : this.place(position, 4, false);
    if (!uint32.format.accepts(value)) uint32.refuse(value, undefined, "value");
    this.data.setUint32(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 64 bits, signed. */
  readInt64(position: number): bigint {
    const at = position >>> 0 === position && position <= this.readEnd - 8 ? position : this.place(position, 8, true);
    const value = this.data.getBigInt64(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 64 bits, signed. */
  writeInt64(position: number, value: bigint): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 8 ? position : this.place(position, 8, false);
    if (!int64.format.accepts(value)) int64.refuse(value, undefined, "value");
    this.data.setBigInt64(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 64 bits. */
  readUint64(position: number): bigint {
    const at = position >>> 0 === position && position <= this.readEnd - 8 ? position : this.place(position, 8, true);
    const value = this.data.getBigUint64(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 64 bits. */
  writeUint64(position: number, value: bigint): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 8 ? position : this.place(position, 8, false);
    if (!uint64.format.accepts(value)) uint64.refuse(value, undefined, "value");
    this.data.setBigUint64(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 32 bits, IEEE 754. */
  readFloat32(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 4 ? position : this.place(position, 4, true);
    const value = this.data.getFloat32(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 32 bits, IEEE 754. */
  writeFloat32(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 4 ? position : this.place(position, 4, false);
    if (!float32.format.accepts(value)) float32.refuse(value, undefined, "value");
    this.data.setFloat32(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a number of 64 bits, IEEE 754. */
  readFloat64(position: number): number {
    const at = position >>> 0 === position && position <= this.readEnd - 8 ? position : this.place(position, 8, true);
    const value = this.data.getFloat64(at, true);
    if (this.status[0] !== 0) this.refuseLost();
    return value;
  }

  /** Writes a number of 64 bits, IEEE 754. */
  writeFloat64(position: number, value: number): void {
    const at = position >>> 0 === position && position <= this.writeEnd - 8 ? position : this.place(position, 8, false);
    if (!float64.format.accepts(value)) float64.refuse(value, undefined, "value");
    this.data.setFloat64(at, value, true);
    if (this.status[0] !== 0) this.refuseLost();
  }

  /** Reads a character: a UTF-16 code unit, as .NET's `Char`. */
  readChar(position: number): string {
    return String.fromCharCode(this.readUint16(position));
  }

  /** Writes a character: a UTF-16 code unit. */
  writeChar(position: number, value: string): void {
    if (typeof value !== "string" || value.length !== 1)
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `value must be one UTF-16 code unit, not ${show(value)}`, {
        actual: value,
      });
    this.writeUint16(position, value.charCodeAt(0));
  }

  /** Reads a value of a type: a {@link Struct}, `float64`, `string(32)`. A copy. */
  read<T extends FieldType<unknown>>(type: T, position: number): StructOf<T> {
    const value = fieldType(type, "type").get(this.data, this.place(position, type.size, true), true);
    this.check();
    return value as StructOf<T>;
  }

  /** Writes a value of a type: all of it, or nothing if it is wrong. */
  write<T extends FieldType<unknown>>(type: T, position: number, value: StructOf<T>): void {
    const at = this.place(position, fieldType(type, "type").size, false);
    type.putLive(this.data, at, value, true, undefined, "value");
    this.check();
  }

  /**
   * Reads values that lie one after the other into `target`, from its index `offset` on: at most `count` of them, and no more than
   * there are in the view. Answers how many.
   */
  readArray<T extends FieldType<unknown>>(
    type: T,
    position: number,
    target: StructOf<T>[],
    offset = 0,
    count?: number,
  ): number {
    if (!Array.isArray(target))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `target must be an array, not ${show(target)}`);
    const first = wholeNumber(offset, "offset", 0, target.length);
    const room = target.length - first;
    const wanted = count === undefined ? room : wholeNumber(count, "count", 0, room);
    const { size } = fieldType(type, "type");
    const at = this.place(position, 0, true);
    const read = Math.min(wanted, Math.floor((this.capacity - at) / size));
    for (let i = 0; i < read; i++) target[first + i] = type.get(this.data, at + i * size, true) as StructOf<T>;
    this.check();
    return read;
  }

  /** Writes `count` values from the index `offset` of an array on, one after the other: all of them, or nothing if one is wrong. */
  writeArray<T extends FieldType<unknown>>(
    type: T,
    position: number,
    values: ArrayLike<StructOf<T>>,
    offset = 0,
    count?: number,
  ): void {
    const isArray = Array.isArray(values) || ArrayBuffer.isView(values);
    if (!isArray) throw new ArgumentError("ERR_INVALID_ARGUMENT", `values must be an array, not ${show(values)}`);
    const first = wholeNumber(offset, "offset", 0, values.length);
    const room = values.length - first;
    const length = count === undefined ? room : wholeNumber(count, "count", 0, room);
    const { size } = fieldType(type, "type");
    const at = this.place(position, length * size, false);
    const copy = new Uint8Array(length * size);
    const target = new DataView(copy.buffer);
    for (let i = 0; i < length; i++)
      type.put(target, i * size, values[first + i], true, { parent: undefined, key: "values" }, first + i);
    this.writeBytes(at, copy);
  }

  /** Copies bytes from `position` on into `target`, as many as there are. Answers how many. */
  readBytes(position: number, target: Uint8Array): number {
    if (!(target instanceof Uint8Array))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `target must be a Uint8Array, not ${show(target)}`);
    const at = this.place(position, 0, true);
    const read = Math.min(target.length, this.capacity - at);
    target.set(this.bytes.subarray(at, at + read));
    this.check();
    return read;
  }

  /** Copies bytes into the view: all of them, or none if they do not fit. */
  writeBytes(position: number, bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `bytes must be a Uint8Array, not ${show(bytes)}`);
    this.bytes.set(bytes, this.place(position, bytes.length, false));
    this.check();
  }

  /**
   * The structs that lie in the view from `position` on, to be read and written in place. As with {@link bytes}, nothing is
   * checked during the loop: {@link check} afterwards says whether all was well.
   * @param length default: as many as there is room for
   * @throws ERR_PERMISSION unless the view is for reading and writing
   */
  cursor<F extends Fields>(struct: Struct<F>, position = 0, length?: number): Cursor<ValuesOf<F>, LiveRecord<F>> {
    if (!(struct instanceof Struct))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `a cursor is over structs, not over ${show(struct)}`, {
        actual: struct,
      });
    this.place(position, 0, true);
    const at = this.place(position, 0, false);
    return struct.cursor(this.data, at, length);
  }

  /**
   * Writes what was changed back to the file, off the event loop: msync(2). For memory with a name and private pages there is
   * nothing to write. Others see changes at once, without it.
   * @throws ERR_CLOSED, ERR_MAPPING_LOST, ERR_SYSTEM, ERR_NO_SPACE
   */
  async flush(): Promise<void> {
    this.check();
    try {
      if (writesFile(this.access)) await msync(this.bytes.buffer);
    } catch (error) {
      this.flushFailed(error);
    }
  }

  /** {@link flush}, on the calling thread. */
  flushSync(): void {
    this.check();
    try {
      if (writesFile(this.access)) msyncSync(this.bytes.buffer);
    } catch (error) {
      this.flushFailed(error);
    }
  }

  private flushFailed(error: unknown): never {
    this.check();
    if (error instanceof SystemCallError) throw systemError(error.errno, error.syscall, this.source.path);
    throw error;
  }

  /**
   * Unmaps it; afterwards {@link bytes} reads zeroes. Idempotent.
   * @throws SystemCallError EBUSY while this process has a mutex of `shmkit/posix` in it locked: then it stays open
   */
  close(): void {
    if (this.isClosed) return;
    unmap(this.range, "munmap");
    this.readEnd = 0;
    this.writeEnd = 0;
    this.source.release();
  }

  /** {@link close}, as `using` calls it. */
  [Symbol.dispose](): void {
    this.close();
  }
}
