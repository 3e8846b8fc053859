// What the Node peers share: read a JSON body, answer it with one card.
import { createServer } from "node:http";

export function listen(port, answer) {
  createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      try {
        const { all, status, ph } = await answer(JSON.parse(Buffer.concat(parts).toString("utf8")));
        const card = { summary: `ALL ${all ? status : "not found"}, Ph ${ph}`, indicator: "info", source: { label: "bench" } };
        response.setHeader("Content-Type", "application/json");
        response.end(JSON.stringify({ cards: all ? [card] : [] }));
      } catch (error) {
        response.statusCode = 500;
        response.end(String(error));
      }
    });
  }).listen(Number(port), "127.0.0.1");
}
