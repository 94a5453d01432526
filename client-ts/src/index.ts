/**
 * Claxon watches the calls an app makes to the Claude API, and wakes somebody when they break.
 *
 *     const client = watch(new Anthropic(), { url: "https://claxon.example.com", app: "shop" });
 */

export { middleware } from "./middleware.js";
export { flush, instrument, shutdown, stats, uninstrument, watch, type WatchableClient } from "./observing.js";
export type { Event, RateLimits } from "./recording.js";
export type { Settings, SettingsArguments } from "./settings.js";
export type { Stats } from "./shipper.js";
export { context, type Tags } from "./tagging.js";
export { VERSION } from "./version.js";
