/** A producer or consumer: works until there is nothing left to do, or stays inside with one number, to be killed. */
import { endWithParent, leaveParent, tellParent } from "../demo/parent.js";
import { SysvBuffer } from "./sysv-buffer.js";

const [shmid, role, numbers, staysWith] = process.argv.slice(2);
endWithParent();
const buffer = SysvBuffer.attach(Number(shmid));
const inside = async (number: number): Promise<void> => {
  if (number !== Number(staysWith)) return;
  tellParent("inside");
  await new Promise(() => undefined);
};
while (await (role === "producer" ? buffer.put(Number(numbers), inside) : buffer.take(Number(numbers), inside)));
buffer.detach();
leaveParent();
