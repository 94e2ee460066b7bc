/** Messages between processes of different runtimes: their IPC has JSON in common and nothing that carries more. */
import { Packr } from "#msgpackr";

const packr = new Packr({ useRecords: false, moreTypes: true, useBigIntExtension: true, int64AsType: "bigint" });

/** A message as a text. */
export const packed = (message: unknown): string => Buffer.from(packr.pack(message)).toString("base64");
export const unpacked = (text: string): unknown => packr.unpack(Buffer.from(text, "base64"));
