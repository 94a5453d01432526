// The cases that the Python client is tested with: what the API plays, and the events that are made of it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = process.env.CLAXON_TEST_ROOT ?? fileURLToPath(new URL("../../..", import.meta.url));

export const CASES = JSON.parse(readFileSync(`${root}/tests/client/cases.json`, "utf8"));

/** The category is what the service reads from the other fields; the Python tests compare it too. */
export const ATTEMPT_FIELDS = CASES.attempt_fields.filter((name) => name !== "category");
export const ENDING_FIELDS = CASES.ending_fields.filter((name) => name !== "category");

/** Return a row of expected values, without what a client does not say. */
export function rowOf(fields, values) {
  return Object.fromEntries(fields.map((name, at) => [name, values[at]]).filter(([name]) => name !== "category"));
}

/** Return the same fields of an event; null where it has none. */
export function fieldsOf(event, names) {
  return Object.fromEntries(names.map((name) => [name, event[name] ?? null]));
}
