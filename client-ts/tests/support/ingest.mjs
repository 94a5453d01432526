// A small service that takes events over a real socket, and fails as told.
import { once } from "node:events";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";

/** Start it; replies come from `script`, one per post, then 202 for ever. */
export async function startIngest() {
  const posts = [];
  const script = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const text = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    const post = { path: request.url, headers: request.headers, body, events: JSON.parse(text), at: performance.now() };
    posts.push(post);
    server.emit("post");
    const reply = { status: 202, headers: {}, ...script.shift() };
    if (reply.hang) return;
    if (reply.reset) return void request.socket.resetAndDestroy();
    response.writeHead(reply.status, reply.headers);
    response.end(reply.body ?? JSON.stringify({ accepted: post.events.length, rejected: [] }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    posts,
    script,
    get events() {
      return posts.flatMap((post) => post.events);
    },
    async waitForPosts(count) {
      const signal = AbortSignal.timeout(5000);
      while (posts.length < count) await once(server, "post", { signal });
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
