// Builds dist/esm and dist/cjs from src: the same code, once for `import` and once for `require`.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(here, "dist"), { recursive: true, force: true });
for (const [kind, options] of [
  ["esm", []],
  ["cjs", ["--module", "commonjs", "--moduleResolution", "bundler"]],
]) {
  const out = join(here, "dist", kind);
  mkdirSync(out, { recursive: true });
  execFileSync(process.execPath, [tsc, "-p", here, "--outDir", out, ...options], { stdio: "inherit" });
  // Says which of the two a file is; the package as a whole is ESM.
  writeFileSync(join(out, "package.json"), `{ "type": "${kind === "esm" ? "module" : "commonjs"}", "sideEffects": false }\n`);
}
