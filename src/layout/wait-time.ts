import { struct } from "./descriptor.js";

export const WAIT_TIME_BYTES = 8;
export const WAIT_TIME = struct(
  "wait_time",
  WAIT_TIME_BYTES,
  "Since when a member waits for an object, for onlookers.",
  // prettier-ignore
  [
    [0, "since", "f64", "milliseconds since 1970 when the oldest of its waits began, with fractions that tell waits of one millisecond apart; counts while the object says that its member waits", "the member, before that can be seen", "plain", "meaningless"],
  ],
);
