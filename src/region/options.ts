import { basename } from "node:path";
import { ArgumentError, ArgumentRangeError } from "../base/errors.js";
import { choice, flag, knownOptions, show, wholeNumber } from "../base/arguments.js";
import type { WaitOptions } from "../base/deadline.js";
import { sizeBytes, type Size } from "../base/sizes.js";
import { requireLinux } from "../native/addon.js";
import { LABEL_BYTES } from "../layout/member-slot.js";
import { MEMBER_LIMIT, PAGE_BYTES } from "../layout/region-header.js";
import type { LifetimeName } from "./geometry.js";
import type { Place } from "./names.js";

/** Options of `open`, `Region.create` and `Region.openOrCreate`; `Region.open` has one more. Those that shape a region matter to its creator; a joiner who gives another `maxSize`,
 * `maxMembers` or `lifetime` is told; its `size` and `mode` are not looked at further. */
export interface RegionOptions extends WaitOptions {
  /** Memory backed at creation, for objects and messages: 4 KiB to 32 GiB. Default 16 MiB. Grows by itself up to `maxSize`. */
  size?: Size;
  /** Address space reserved: the size the region can grow to, at most 32 GiB. Default 1 GiB, or `size` if that is more. */
  maxSize?: Size;
  /** Permission bits of the region's file, whatever the umask. Default 0o600: this user only. */
  mode?: number;
  /** Number of the group that the region's file belongs to, one that this user is in; with a mode such as 0o660. Default: the user's own. */
  group?: number;
  /** Members (processes and worker threads) that can be attached at a time, 1 to 256. Default 64. */
  maxMembers?: number;
  /**
   * `"process"` (default): gone with its last member. `"kernel"`: stays until removed or reboot. `"file"`: on disk, stays until
   * removed; the name is then the absolute path of its file.
   */
  lifetime?: Exclude<LifetimeName, "anonymous">;
  /** Who this member is, for people: shown by tools and in `memberDied`. At most 64 bytes. Default: the script's file name. */
  label?: string;
  /** Give SharedArrayBuffer views, which can be posted to worker threads, where the runtime can. Default false. */
  shared?: boolean;
  /** Accept a region that belongs to another user. Default false. */
  allowOtherUser?: boolean;
  /** Of a region on disk: ERR_UNCLEAN if the machine went down while it was in use. Default false: {@link Region.unclean} says so. */
  refuseUnclean?: boolean;
}

/** Options of `Region.open`. */
export interface RegionOpenOptions extends RegionOptions {
  /** Wait for the name to appear. Default false. */
  wait?: boolean;
  /** `"write"` (default): join. `"read"`: only look, as a {@link RegionReader}; see {@link ReaderOptions}. */
  access?: "write";
}

/** Options of `Region.open` for a {@link RegionReader}. */
export interface ReaderOptions extends Pick<RegionOpenOptions, "lifetime" | "allowOtherUser" | "wait">, WaitOptions {
  /** Only look: no slot is taken, and read permission is enough. */
  access: "read";
}

/** Options of `Region.anonymous`. */
export type AnonymousOptions = Pick<RegionOptions, "size" | "maxSize" | "maxMembers" | "label" | "shared"> &
  WaitOptions;

/** Options of `Region.fromDescriptor`. */
export type DescriptorOptions = Pick<RegionOptions, "label" | "shared"> & WaitOptions;

/** Options checked and completed; `given` tells which ones a joiner wants compared. */
/** What to remove, of regions that no living process uses. */
export interface CleanOptions {
  /** Also those of lifetime `"kernel"`. Default: false. */
  readonly kernel?: boolean;
  /** Only the region of this name. Default: all. */
  readonly name?: string;
}

export interface CheckedOptions {
  readonly sizeBytes: number;
  readonly maxSizeBytes: number;
  readonly mode: number;
  readonly group: number | undefined;
  readonly maxMembers: number;
  readonly lifetime: LifetimeName;
  readonly label: Uint8Array;
  readonly shared: boolean;
  readonly allowOtherUser: boolean;
  readonly refuseUnclean: boolean;
  readonly wait: boolean;
  readonly given: { readonly maxSize: boolean; readonly maxMembers: boolean; readonly lifetime: boolean };
}

const KNOWN = [
  "size",
  "maxSize",
  "mode",
  "group",
  "maxMembers",
  "lifetime",
  "label",
  "shared",
  "allowOtherUser",
  "refuseUnclean",
  "timeoutMs",
  "signal",
];
const DEFAULT_SIZE = 16 * 2 ** 20;
const DEFAULT_MAX_SIZE = 2 ** 30;
const MAX_SIZE_LIMIT = 32 * 2 ** 30;

function labelOf(value: unknown): Uint8Array {
  const text = value === undefined ? basename(process.argv[1] ?? "") : value;
  if (typeof text !== "string")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `label must be a string, not ${show(value)}`);
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= LABEL_BYTES) return bytes;
  if (value === undefined) return new TextEncoder().encode([...text].slice(-16).join(""));
  throw new ArgumentRangeError(
    "ERR_OUT_OF_RANGE",
    `label must be at most ${LABEL_BYTES} bytes of UTF-8, not ${bytes.length}`,
  );
}

/** A path is on disk, a name in memory, and the option has to say the same. */
function lifetimeOf(value: unknown, { onDisk, name }: Place): LifetimeName {
  if (value === undefined && onDisk)
    throw new ArgumentError(
      "ERR_INVALID_NAME",
      `the region name ${show(name)} must not have slashes; one that is on disk is opened with { lifetime: "file" }`,
      { actual: name },
    );
  const lifetime = value === undefined ? "process" : choice(value, "lifetime", ["process", "kernel", "file"]);
  if (lifetime !== "process") requireLinux(`a region of lifetime ${show(lifetime)}`);
  if (onDisk === (lifetime === "file")) return lifetime;
  const advice = onDisk
    ? `a region named by a path is of lifetime "file"`
    : `a region of lifetime "file" is named by an absolute path, such as "/var/lib/app/state.shm"`;
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `lifetime must not be ${show(lifetime)} here: ${advice}`, {
    actual: lifetime,
  });
}

const ANONYMOUS_KNOWN = ["size", "maxSize", "maxMembers", "label", "shared", "timeoutMs", "signal"];
const DESCRIPTOR_KNOWN = ["label", "shared", "timeoutMs", "signal"];

/** Options of a region with a name or a path. */
export function checkOptions(options: RegionOpenOptions | undefined, where: string, place: Place): CheckedOptions {
  const given = knownOptions(options, where === "Region.open" ? [...KNOWN, "wait", "access"] : KNOWN, where);
  return complete(given, lifetimeOf(given.lifetime, place));
}

const READER_KNOWN = ["access", "lifetime", "allowOtherUser", "wait", "timeoutMs", "signal"];

/** Whether a region is to be opened for looking at it only. */
export function wantsReader(options: RegionOpenOptions | ReaderOptions | undefined): options is ReaderOptions {
  const access: unknown = typeof options === "object" ? (options as ReaderOptions | null)?.access : undefined;
  return access !== undefined && choice(access, "access", ["write", "read"]) === "read";
}

export function checkReaderOptions(options: ReaderOptions, place: Place): CheckedOptions {
  const { access: _access, ...given } = knownOptions(options, READER_KNOWN, 'Region.open with access "read"');
  return complete(given, lifetimeOf(given.lifetime, place));
}

export const checkAnonymousOptions = (options: AnonymousOptions | undefined, where: string): CheckedOptions =>
  complete(knownOptions<RegionOpenOptions>(options, ANONYMOUS_KNOWN, where), "anonymous");

export const checkDescriptorOptions = (options: DescriptorOptions | undefined, where: string): CheckedOptions =>
  complete(knownOptions<RegionOpenOptions>(options, DESCRIPTOR_KNOWN, where), "anonymous");

function complete(given: Omit<RegionOpenOptions, "access">, lifetime: LifetimeName): CheckedOptions {
  const size = given.size === undefined ? DEFAULT_SIZE : sizeBytes(given.size, "size", PAGE_BYTES, MAX_SIZE_LIMIT);
  const maxSize =
    given.maxSize === undefined
      ? Math.max(DEFAULT_MAX_SIZE, size)
      : sizeBytes(given.maxSize, "maxSize", PAGE_BYTES, MAX_SIZE_LIMIT);
  if (size > maxSize && given.size !== undefined)
    throw new ArgumentRangeError("ERR_INVALID_SIZE", `size (${size}) must not exceed maxSize (${maxSize})`, {
      expected: maxSize,
      actual: size,
    });
  // There, the folder of the names is this user's alone.
  if (given.group !== undefined || (given.mode ?? 0o600) !== 0o600) requireLinux("a region for others than its user");
  return {
    sizeBytes: Math.min(size, maxSize),
    maxSizeBytes: maxSize,
    mode: given.mode === undefined ? 0o600 : wholeNumber(given.mode, "mode", 0, 0o777),
    group: given.group === undefined ? undefined : wholeNumber(given.group, "group", 0, 2 ** 32 - 2),
    maxMembers: given.maxMembers === undefined ? 64 : wholeNumber(given.maxMembers, "maxMembers", 1, MEMBER_LIMIT),
    lifetime,
    label: labelOf(given.label),
    shared: flag(given.shared, "shared"),
    allowOtherUser: flag(given.allowOtherUser, "allowOtherUser"),
    refuseUnclean: flag(given.refuseUnclean, "refuseUnclean"),
    wait: flag(given.wait, "wait"),
    given: {
      maxSize: given.maxSize !== undefined,
      maxMembers: given.maxMembers !== undefined,
      lifetime: given.lifetime !== undefined,
    },
  };
}
