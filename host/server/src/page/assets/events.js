// Data of server-sent events, as in "9.2.6 Interpreting an event stream" of the HTML standard. Every event of this server
// says in its data what it is, so the events' names are not read.

export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (waiting + value).split("\n");
      waiting = lines.pop();
      for (const line of lines) {
        const text = line.endsWith("\r") ? line.slice(0, -1) : line;
        if (text === "" && data.length > 0) {
          yield data.join("\n");
          data = [];
        } else if (text.startsWith("data:")) {
          data.push(text.slice(text.startsWith("data: ") ? 6 : 5));
        }
      }
    }
  } finally {
    // A reader that stops early ends the request, and the server frees its sandbox.
    await reader.cancel().catch(() => {});
  }
}
