// Settings: arguments, else variables, else defaults; a bad one is warned of and never thrown.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { forget } from "../dist/esm/guard.js";
import { DEFAULTS, readSettings, variableOf } from "../dist/esm/settings.js";

let warnings;
beforeEach(() => {
  forget();
  warnings = [];
  console.warn = (text) => warnings.push(text);
});

test("arguments outrank variables, and those outrank defaults", () => {
  const environment = { CLAXON_URL: "https://c.example/", CLAXON_APP: "one", CLAXON_BATCH_SIZE: "7", CLAXON_ENABLED: "no" };

  const settings = readSettings({ app: "two", key: undefined }, environment);

  assert.deepEqual(settings, { ...DEFAULTS, url: "https://c.example", app: "two", batchSize: 7, enabled: false });
  assert.deepEqual(readSettings({}, {}), DEFAULTS);
  assert.equal(readSettings({}, { OTEL_SERVICE_NAME: "svc" }).app, "svc");
  assert.equal(variableOf("exitTimeoutS"), "CLAXON_EXIT_TIMEOUT_S");
  assert.deepEqual(warnings, []);
});

for (const [name, value, remedy] of [
  ["url", "claxon.example.com", "write an address such as"],
  ["url", "https://c.example/?x=1", "write an address such as"],
  ["key", "clé", "write a key of printable ASCII"],
  ["app", "x".repeat(65), "write a string of at most 64 characters"],
  ["enabled", "perhaps", "write true or false"],
  ["batchSize", "1.5", "write a whole number"],
  ["queueSize", 0, "write a whole number"],
  ["intervalS", "soon", "write seconds"],
  ["backoffS", 0, "write seconds"],
  ["urls", "https://c.example", "no such setting: use one of url, key"],
]) {
  test(`a bad value is warned of once and its default holds: ${name}=${value}`, () => {
    for (let time = 0; time < 2; time++) assert.deepEqual(readSettings({ [name]: value }, {}), DEFAULTS);

    assert.equal(warnings.length, 1);
    assert.ok(warnings[0].includes(`${name}: `) && warnings[0].includes(remedy), warnings[0]);
    if (name === "key") assert.ok(!warnings[0].includes(value));
  });
}
