// An app as its types see it: compiled by `npm run check`, never run.
import Anthropic from "@anthropic-ai/sdk";
import { context, flush, instrument, middleware, shutdown, stats, uninstrument, watch, type Event, type Stats } from "claxon";
import { captureEvents } from "claxon/testing";

export async function app(): Promise<string> {
  const client = watch(new Anthropic(), { url: "https://claxon.example.com", key: "k", app: "shop", environment: "test" });
  const tags = { path: "checkout", attributes: { tenant: "acme", size: 3 } };
  const message: Anthropic.Message = await context(tags, () =>
    client.messages.create({ model: "claude-opus-4-5", max_tokens: 5, messages: [] }),
  );
  instrument({ batchSize: 100 }, Anthropic);
  instrument();
  uninstrument();
  new Anthropic({ middleware: [middleware] });
  const events: readonly Event[] = await captureEvents().settled();
  const all: boolean = (await flush(1)) && (await shutdown());
  const counts: Stats = stats();
  return `${message.id} ${all} ${counts.dropped["queue_full"] ?? 0} ${events[0]?.error_type ?? ""}`;
}

// @ts-expect-error a setting that there is not
watch(new Anthropic(), { urls: "x" });
// @ts-expect-error no client
watch({});
// @ts-expect-error a path that is no text
context({ path: 5 }, () => 1);
