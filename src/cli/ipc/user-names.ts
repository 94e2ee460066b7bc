import { readFileSync } from "node:fs";

/** Names of users and groups by number, as /etc/passwd and /etc/group have them: what other services know stays a number. */
export class UserNames {
  private readonly users: ReadonlyMap<number, string>;
  private readonly groups: ReadonlyMap<number, string>;

  constructor(passwd = "/etc/passwd", group = "/etc/group") {
    this.users = namesIn(passwd);
    this.groups = namesIn(group);
  }

  user(uid: number): string {
    return this.users.get(uid) ?? String(uid);
  }

  group(gid: number): string {
    return this.groups.get(gid) ?? String(gid);
  }
}

function namesIn(path: string): Map<number, string> {
  const names = new Map<number, string>();
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // Numbers are then all there is.
  }
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    // The first one counts, as for the C library.
    if (/^\d+$/.test(id ?? "") && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
