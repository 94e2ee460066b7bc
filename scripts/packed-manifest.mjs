/**
 * What only a checkout has use for. `private` keeps anything but the package from being published. The scripts stay: this is
 * the checkout's package.json while npm packs, and whatever is run next puts back what a killed npm has left.
 */
const OF_CHECKOUT = ["private", "devDependencies", "overrides"];

/** Of the names that modules import by, those that the command line uses; the others lead to what the bundles were made of. */
const IMPORTS_KEPT = ["#shmkit", "#posix", "#sysv"];

/** Conditions of the checkout's tests, for modules of which the package has the bundle instead. */
const isOfTests = (condition) => condition.startsWith("shmkit-");

function withoutTestConditions(targets) {
  if (typeof targets === "string") return targets;
  const kept = Object.entries(targets).filter(([condition]) => !isOfTests(condition));
  return Object.fromEntries(kept.map(([condition, inner]) => [condition, withoutTestConditions(inner)]));
}

/** The package.json that travels in the package, made from the checkout's. */
export function packedManifest(manifest) {
  const kept = Object.fromEntries(Object.entries(manifest).filter(([field]) => !OF_CHECKOUT.includes(field)));
  const imports = Object.fromEntries(Object.entries(manifest.imports).filter(([name]) => IMPORTS_KEPT.includes(name)));
  return { ...kept, exports: withoutTestConditions(kept.exports), imports: withoutTestConditions(imports) };
}

/** Its text. */
export const packedManifestText = (text) => `${JSON.stringify(packedManifest(JSON.parse(text)), undefined, 2)}\n`;
