// The installed packages that given packages need, themselves included: what npm would install for them, found by
// walking node_modules as Node resolves names. Optional dependencies count when they are installed.
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/**
 * Folders of the closure, relative to `root`, in no particular order.
 * @param leaveOut  names that are not followed
 */
export function moduleClosure(root, names, leaveOut = []) {
  const folders = new Set();
  const visit = (name, from, optional) => {
    if (leaveOut.includes(name)) return;
    const folder = installed(root, name, from);
    if (folder === undefined) {
      if (optional) return;
      throw new Error(`${name}, needed by ${path.relative(root, from) || "the package"}, is not installed: npm ci`);
    }
    const relative = path.relative(root, folder);
    if (folders.has(relative)) return;
    folders.add(relative);
    const manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
    for (const needed of Object.keys(manifest.dependencies ?? {})) visit(needed, folder, false);
    for (const needed of Object.keys(manifest.optionalDependencies ?? {})) visit(needed, folder, true);
  };
  for (const name of names) visit(name, root, false);
  return [...folders];
}

function installed(root, name, from) {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, "node_modules", name);
    if (existsSync(path.join(candidate, "package.json"))) return candidate;
    if (folder === root) return undefined;
  }
}
