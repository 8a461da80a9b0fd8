// After the build: a .gz and a .br beside every text file, so that the server only picks.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const out = new URL("../../src/faultline/api/static/", import.meta.url).pathname;
const names = readdirSync(out, { recursive: true }).filter((name) =>
  /\.(js|css|html|txt|json|svg)$/.test(name),
);
for (const name of names) {
  const bytes = readFileSync(join(out, name));
  writeFileSync(join(out, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  writeFileSync(
    join(out, `${name}.br`),
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
  );
}
console.log(`${names.length} files have .gz and .br siblings`);
