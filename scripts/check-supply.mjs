// Holds package-lock.json to scripts/supply.json (install scripts, licences) and writes dist/sbom.json, a CycloneDX file.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const read = (file) => JSON.parse(readFileSync(path.join(root, file), 'utf8'));
const { installScripts, licences } = read('scripts/supply.json');
const { name, license: ownLicence } = read('package.json');
const packages = Object.entries(read('package-lock.json').packages)
  .filter(([dir, { link }]) => dir !== '' && !link)
  .map(([dir, entry]) => ({ ...entry, dir, name: entry.name ?? dir.slice(dir.lastIndexOf('node_modules/') + 13) }));
const shipped = packages.filter(({ dev, devOptional }) => !dev && !devOptional);

/** Whether a name is meant by a pattern, in which a star at the end stands for the rest. */
const matches = (pattern, name) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern);

function checkScripts() {
  const patterns = Object.keys(installScripts);
  const having = packages.filter(({ hasInstallScript }) => hasInstallScript);
  return [
    ...having
      .filter((each) => !patterns.some((pattern) => matches(pattern, each.name)))
      .map((each) => `${each.name} ${each.version} has an install script that scripts/supply.json does not name`),
    ...patterns
      .filter((pattern) => !having.some((each) => matches(pattern, each.name)))
      .map((pattern) => `scripts/supply.json names an install script of ${pattern}, which has none`),
  ];
}

/** What the package itself says; the lock file's word for those of other platforms, which are not installed. */
function licenceOf({ dir, license }) {
  const file = path.join(root, dir, 'package.json');
  const said = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).license : license;
  return typeof said === 'string' ? said : JSON.stringify(said ?? null);
}

/** Of an SPDX expression without nested brackets: OR needs one side, AND all. */
function mayShip(expression, name) {
  const allowed = (id) => licences[id] !== undefined && matches(licences[id], name);
  return expression
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((side) => side.split(' AND ').every(allowed));
}

const checkLicences = () =>
  shipped
    .map((each) => ({ ...each, said: licenceOf(each) }))
    .filter((each) => !mayShip(each.said, each.name))
    .map(
      (each) => `${each.name} ${each.version} is shipped under ${each.said}, which scripts/supply.json does not allow`,
    );

/** Of all packages, and the rest taken out here: `--omit dev` also leaves out what dev packages need as well (npm 10 and 11). */
function writeBill() {
  const args = ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', '--offline'];
  const bill = JSON.parse(execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 }));
  const kept = new Set(shipped.map((each) => `${each.name}@${each.version}`));
  bill.metadata.component.name = name; // npm writes the folder's
  bill.components = bill.components.filter((each) => kept.has(each['bom-ref']));
  bill.dependencies = bill.dependencies
    .filter(({ ref }) => kept.has(ref) || ref === bill.metadata.component['bom-ref'])
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => kept.has(each)) }));
  mkdirSync(path.join(root, 'dist'), { recursive: true });
  writeFileSync(path.join(root, 'dist/sbom.json'), `${JSON.stringify(bill, null, 2)}\n`);
  return bill;
}

/** Every shipped package is in the bill, with the hash that `npm ci` checks. */
function checkBill({ bomFormat, specVersion, metadata, components }) {
  const listed = new Map(components.map((each) => [each['bom-ref'], each]));
  const faults = shipped.flatMap((each) => {
    const component = listed.get(`${each.name}@${each.version}`);
    if (component === undefined) return [`dist/sbom.json lacks ${each.name} ${each.version}`];
    const hash = Buffer.from(each.integrity?.split('-')[1] ?? '', 'base64').toString('hex');
    const same = hash !== '' && component.hashes?.some(({ content }) => content === hash);
    return same ? [] : [`dist/sbom.json has no hash, or another one, of ${each.name} ${each.version}`];
  });
  if (bomFormat !== 'CycloneDX' || !(Number(specVersion) >= 1.4))
    faults.push(`npm sbom wrote ${bomFormat} ${specVersion}`);
  if (metadata.component.licenses?.[0]?.license?.id !== ownLicence) faults.push('dist/sbom.json lacks our own licence');
  return faults;
}

if (!(shipped.length > 0)) throw new Error('package-lock.json lists no packages');
const faults = [...checkScripts(), ...checkLicences(), ...checkBill(writeBill())];
for (const fault of faults) console.error(fault);
console.log(`${packages.length} packages checked, ${shipped.length} of them shipped: dist/sbom.json`);
process.exit(faults.length > 0 ? 1 : 0);
