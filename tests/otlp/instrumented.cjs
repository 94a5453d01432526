// What instrumented.py is, for the SDK in JavaScript, whose exporter sends JSON: node instrumented.cjs CLAUDE_URL OTLP_URL SCRIPT...
// Needs @anthropic-ai/sdk, @opentelemetry/sdk-trace-node, @opentelemetry/exporter-trace-otlp-http on NODE_PATH.
"use strict";

const { Anthropic } = require("@anthropic-ai/sdk");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { BatchSpanProcessor, NodeTracerProvider } = require("@opentelemetry/sdk-trace-node");

process.env.OTEL_SERVICE_NAME = "node";
process.env.OTEL_RESOURCE_ATTRIBUTES = "deployment.environment.name=test";
process.env.ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE = "content";

const CANARY = "canary-in-the-prompt";

async function main([claude, otlp, ...scripts]) {
  const { detectResources, envDetector } = require("@opentelemetry/resources");
  const exporter = new OTLPTraceExporter({ url: `${otlp}/v1/traces` });
  const provider = new NodeTracerProvider({
    resource: detectResources({ detectors: [envDetector] }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  provider.register();
  const client = new Anthropic({ apiKey: "x", baseURL: claude });
  for (const script of scripts) {
    const stream = script.startsWith("~");
    const asked = {
      model: "claude-sonnet-5",
      max_tokens: 50,
      system: `A system prompt with ${CANARY}`,
      messages: [{ role: "user", content: `Say hello, ${CANARY}` }],
      stream,
    };
    try {
      const answer = await client.messages.create(asked, { headers: { "x-fake": script.replace("~", "") } });
      if (stream) for await (const _ of answer);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  await provider.forceFlush();
}

main(process.argv.slice(2));
