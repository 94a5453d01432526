/**
 * Settings: the arguments of `instrument()` and `watch()`, else `CLAXON_*` variables, else defaults.
 *
 * A bad value never throws into the app: it is warned of once, and the default holds.
 * docs/client/typescript.md lists every setting.
 */

import { warnOnce } from "./guard.js";

export interface Settings {
  /** The service's address, without `/v1/events`; empty ships nothing. */
  readonly url: string;
  /** The ingest key, sent as a bearer token; empty sends none. */
  readonly key: string;
  /** Name of the app; empty leaves it to the key, else `default`. */
  readonly app: string;
  /** Such as `production`; may be empty. */
  readonly environment: string;
  /** False makes the client inert. */
  readonly enabled: boolean;
  /** Also write each event as a JSON line on standard output. */
  readonly logEvents: boolean;
  /** Also read the ids of the current OpenTelemetry span, if the app has one. */
  readonly otel: boolean;
  /** Events in one request, at most. */
  readonly batchSize: number;
  /** Seconds that an event without an error waits, at most. */
  readonly intervalS: number;
  /** Events kept while the service cannot be reached. */
  readonly queueSize: number;
  /** Seconds that one request to the service may take. */
  readonly readTimeoutS: number;
  /** Seconds before the first retry; doubles, up to 30. */
  readonly backoffS: number;
  /** Seconds that the end of the process may wait for the last events. */
  readonly exitTimeoutS: number;
}

export type SettingsArguments = { readonly [Name in keyof Settings]?: Settings[Name] | undefined };

export const DEFAULTS: Settings = Object.freeze({
  url: "http://127.0.0.1:5290",
  key: "",
  app: "",
  environment: "",
  enabled: true,
  logEvents: false,
  otel: true,
  batchSize: 500,
  intervalS: 1,
  queueSize: 10_000,
  readTimeoutS: 10,
  backoffS: 0.5,
  exitTimeoutS: 2,
});

export type Environment = Readonly<Record<string, string | undefined>>;

type Name = keyof Settings;

/** What a value is read by; throws an Error that says what to write instead. */
const READERS: { readonly [N in Name]: (value: unknown) => Settings[N] } = {
  url: readUrl,
  key: readKey,
  app: (value) => readText(value, 64),
  environment: (value) => readText(value, 64),
  enabled: readFlag,
  logEvents: readFlag,
  otel: readFlag,
  batchSize: readCount,
  intervalS: readSeconds,
  queueSize: readCount,
  readTimeoutS: readSeconds,
  backoffS: readSeconds,
  exitTimeoutS: readSeconds,
};

const NAMES = Object.keys(READERS) as Name[];

/** Return the settings; never throws. A bad value is warned of and its default taken. */
export function readSettings(given: SettingsArguments, environment: Environment = environmentOfProcess()): Settings {
  const taken: Record<string, unknown> = { ...DEFAULTS };
  for (const name of NAMES) {
    const found = lookUp(name, given, environment);
    if (found === undefined) continue;
    try {
      taken[name] = READERS[name](found.value);
    } catch (error) {
      const shown = name === "key" ? "***" : JSON.stringify(found.value);
      warnOnce(`setting ${found.origin}`, `${found.origin}: ${shown}: ${(error as Error).message}; the default is used`);
    }
  }
  for (const name of Object.keys(given)) {
    if (!(name in READERS)) warnOnce(`setting ${name}`, `${name}: no such setting: use one of ${NAMES.join(", ")}`);
  }
  return Object.freeze(taken) as unknown as Settings;
}

/** Return the environment variable of a setting, such as CLAXON_BATCH_SIZE. */
export function variableOf(name: string): string {
  return `CLAXON_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

function lookUp(
  name: Name,
  given: SettingsArguments,
  environment: Environment,
): { value: unknown; origin: string } | undefined {
  if (given[name] !== undefined && given[name] !== null) return { value: given[name], origin: name };
  const variable = variableOf(name);
  if (environment[variable] !== undefined) return { value: environment[variable], origin: variable };
  const service = environment["OTEL_SERVICE_NAME"];
  return name === "app" && service ? { value: service, origin: "OTEL_SERVICE_NAME" } : undefined;
}

function environmentOfProcess(): Environment {
  return typeof process === "undefined" ? {} : (process.env ?? {});
}

function readText(value: unknown, limit: number): string {
  if (typeof value !== "string" || value.length > limit) {
    throw new Error(`write a string of at most ${limit} characters`);
  }
  return value.trim();
}

function readUrl(value: unknown): string {
  const url = readText(value, 2000).replace(/\/+$/, "");
  if (url === "") return "";
  const parts = URL.canParse(url) ? new URL(url) : undefined;
  if (parts === undefined || !/^https?:$/.test(parts.protocol) || parts.search || parts.hash) {
    throw new Error("write an address such as https://claxon.example.com");
  }
  return url;
}

function readKey(value: unknown): string {
  const key = readText(value, 500);
  // fetch would refuse such a header on every request.
  if (!/^[\x20-\x7e]*$/.test(key)) throw new Error("write a key of printable ASCII characters");
  return key;
}

function readFlag(value: unknown): boolean {
  if (typeof value === "boolean") return value;
  const text = String(value).trim().toLowerCase();
  if (["1", "true", "yes", "on"].includes(text)) return true;
  if (["0", "false", "no", "off", ""].includes(text)) return false;
  throw new Error("write true or false");
}

function readCount(value: unknown): number {
  const number = numberOf(value);
  if (!Number.isInteger(number) || number < 1 || number > 1_000_000) {
    throw new Error("write a whole number from 1 to 1000000");
  }
  return number;
}

function readSeconds(value: unknown): number {
  const number = numberOf(value);
  if (!(number >= 0.001 && number <= 3600)) throw new Error("write seconds, from 0.001 to 3600");
  return number;
}

function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
}
