import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { CRASH_OPERATIONS } from "./helpers/crash-operations.js";

/** Public methods and functions whose death at every step is not explored under their own name, and why not. */
const NOT_EXPLORED: Readonly<Record<string, string>> = {
  open: "is Region.openOrCreate",
  probeSystem: "touches a file of its own that has no name",
  selectSync: "makes the attempts of select, whose promises a member stopped in them would leave behind",
  "Region.inspect": "looks only",
  "Region.members": "looks only",
  "Region.statistics": "looks only",
  "Region.ref": "touches no shared memory",
  "Region.unref": "touches no shared memory",
  "Region.hasRef": "touches no shared memory",
  "Region.recoverTheDead": "is what the rescuers of every operation do, who are stopped in it as well",
  ...Object.fromEntries(
    ["info", "members", "object", "statistics", "close", "[Symbol.dispose]"].map((name) => [
      `RegionReader.${name}`,
      "looks only",
    ]),
  ),
  ...Object.fromEntries(
    [
      "Barrier",
      "Composite",
      "Condition",
      "Counter",
      "Flag",
      "Latch",
      "Mutex",
      "Once",
      "Pipe",
      "RateLimiter",
      "RwLock",
      "SegmentPool",
      "Semaphore",
      "SharedEvent",
    ].map((name) => [`${name}.[Symbol.dispose]`, "is detach"]),
  ),
  "Collection.list": "looks only",
  "Semaphore.statistics": "looks only",
  "Condition.statistics": "looks only",
  "RwLock.statistics": "looks only",
  "SharedEvent.statistics": "looks only",
  "Barrier.statistics": "looks only",
  "Latch.statistics": "looks only",
  "Latch.tryWait": "looks only",
  "Once.statistics": "looks only",
  "RateLimiter.statistics": "looks only",
  "SegmentPool.statistics": "looks only",
  serveTransfers: "a loop over Pipe.process, SegmentPool.takeOver and takeBack, and PooledSegment.handOver",
  fetchTransfer: "acquires, sends, and then takes back and hands over",
  "Pipe.statistics": "looks only",
  "Pipe.process": "a loop over receive with a lease, ack and nack",
  "Pipe.messages": "a loop over receive",
  "Pipe.[Symbol.asyncIterator]": "a loop over receive",
  "Pipe.readable": "receives with a lease, ack and nack",
  "Pipe.nodeReadable": "receives with a lease, ack and nack",
  "Pipe.writable": "sends, and closes if told to",
  "Pipe.nodeWritable": "sends, and closes if told to",
  "Mutex.statistics": "looks only",
  ...Object.fromEntries(
    ["RwLock.run", "RwLock.runShared", "RwLock.runUpgradable", "Semaphore.run"].flatMap((name) =>
      [name, `${name}Sync`].map((method) => [method, "takes, and gives back, by methods of their own"]),
    ),
  ),
  "Counter.statistics": "looks only",
  "Flag.statistics": "looks only",
  "MutexGuard.get": "looks only",
  "ShmkitError.[Symbol.hasInstance]": "touches no shared memory",
};

const RECORDS = "works on bytes of the caller's, of which the library promises nothing after a death";
const SYSTEMS = "the system keeps what a death must end: locks on descriptors, and mappings";

/** Classes and functions none of whose methods touch a structure that members of a region share. */
const OUTSIDE: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    [
      "Struct",
      "Cursor",
      "StructAtomics",
      "FieldType",
      "ScalarType",
      "ArrayType",
      "BitFields",
      "BytesType",
      "TextType",
    ].map((name) => [name, RECORDS]),
  ),
  array: "describes",
  bits: "describes",
  string: "describes",
  MemoryMappedFile: SYSTEMS,
  MappedView: SYSTEMS,
  MappedStream: SYSTEMS,
  SharedMemory: SYSTEMS,
  SharedMemoryLock: SYSTEMS,
  ShareableList: RECORDS,
  SystemSemaphore: "a semaphore of the system's, which gives back nothing after a death",
};
const isOutside = (method: string): boolean => Object.hasOwn(OUTSIDE, method.split(".")[0]);

const DECLARATIONS = fileURLToPath(new URL("../../dist/", import.meta.url));

/** Every function that the package exports, and `Class.method` of every public method of every class, as its declarations have them. */
function publicMethods(): string[] {
  const entry = `${DECLARATIONS}index.d.ts`;
  // Without what takes long to read and declares none of ours: the types of the browser and of Node.
  const options = { module: ts.ModuleKind.NodeNext, lib: ["lib.esnext.d.ts"], types: [] };
  const program = ts.createProgram([entry], options);
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)!)!);
  return exported.flatMap((symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    const declared = target.valueDeclaration;
    if (declared !== undefined && ts.isFunctionDeclaration(declared)) return [target.name];
    if (declared === undefined || !ts.isClassDeclaration(declared)) return [];
    const instance = checker.getDeclaredTypeOfSymbol(target).getProperties();
    const statics = checker.getTypeOfSymbol(target).getProperties();
    return [...instance, ...statics].flatMap(({ valueDeclaration: member }) => {
      if (member === undefined || !ts.isMethodDeclaration(member)) return [];
      if (!member.getSourceFile().fileName.startsWith(DECLARATIONS)) return [];
      const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
      const isInternal = ts.getJSDocTags(member).some(({ tagName }) => tagName.text === "internal");
      if ((ts.getCombinedModifierFlags(member) & hidden) !== 0 || isInternal) return [];
      return [`${target.name}.${member.name.getText()}`];
    });
  });
}

test("every public method and function is explored, or there is a reason why not", () => {
  const explored = new Set(CRASH_OPERATIONS.flatMap(({ covers }) => covers));
  const methods = [...new Set(publicMethods())].sort();
  assert.ok(methods.includes("Pipe.send") && methods.includes("Counter.detach") && methods.includes("Region.create"));
  assert.deepEqual(
    methods.filter((method) => !explored.has(method) && !Object.hasOwn(NOT_EXPLORED, method) && !isOutside(method)),
    [],
    "neither explored nor excused",
  );
  assert.deepEqual(
    [...explored, ...Object.keys(NOT_EXPLORED)].filter((method) => !methods.includes(method)),
    [],
    "there is no such method",
  );
  const owners = new Set(methods.map((method) => method.split(".")[0]));
  assert.deepEqual(
    Object.keys(OUTSIDE).filter((name) => !owners.has(name)),
    [],
    "nothing public has that name",
  );
  assert.deepEqual(
    [...Object.keys(NOT_EXPLORED), ...methods.filter(isOutside)].filter((method) => explored.has(method)),
    [],
    "excused although explored",
  );
});
