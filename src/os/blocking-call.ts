import { constants } from "node:os";
import { native } from "../native/addon.js";
import { callsOf } from "./calls.js";
import { SystemCallError } from "./system-call-error.js";

export { PendingCalls, type BlockingCall, type Interruption } from "./calls.js";

const { ECANCELED, EINTR, EINVAL, ETIMEDOUT } = constants.errno;

/** What an attempt answers that would have to wait: no call fails with it. */
export const MUST_WAIT = -ETIMEDOUT;

/** The result of an attempt, where one errno of the call says that it would have to wait. */
export const mustWaitFor = (result: number, errno: number): number => (result === -errno ? MUST_WAIT : result);

/** Calls of Linux and its C library. */
export const { callAsync, callSync, pause, poll } = callsOf({
  mustWait: MUST_WAIT,
  interrupted: -EINTR,
  canceled: -ECANCELED,
  gone: -EINVAL,
  interrupt: (id) => void native.interrupt(id),
  errorOf: (result, syscall, path) => new SystemCallError(result, syscall, path),
});
