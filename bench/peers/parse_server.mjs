// The reference without validation or logic: JSON.parse, then the same questions in a few lines: node parse_server.mjs PORT VALUE_SETS
import { readFileSync } from "node:fs";
import { listen } from "./http.mjs";

const [port, valueSets] = process.argv.slice(2);
const sets = Object.fromEntries(
  Object.entries(JSON.parse(readFileSync(valueSets, "utf8"))).map(([name, codes]) => [
    name,
    new Set(codes.map((each) => `${each.system}|${each.code}`)),
  ]),
);
const holds = (name, concept) => concept?.coding?.some((each) => sets[name].has(`${each.system}|${each.code}`)) ?? false;
const FINAL = new Set(["final", "amended", "corrected"]);

function ofSet(name, observations) {
  const found = observations.filter((each) => holds(name, each.code) && FINAL.has(each.status));
  return found.sort((a, b) => (a.effectiveDateTime < b.effectiveDateTime ? -1 : 1));
}

function status(conditions, observations) {
  const marrows = ofSet("marrow", observations);
  const newest = marrows.at(-1);
  const remission = marrows.slice(0, -1).some((each) => each.valueQuantity.value < 5);
  if (newest?.valueQuantity.value >= 25 && remission) return "relapsed";
  if (conditions.some((each) => holds("relapse", each.code))) return "relapsed";
  return conditions.some((each) => holds("remission", each.code)) ? "in remission" : "indeterminate";
}

function ph(observations) {
  const value = ofSet("ph", observations).at(-1)?.valueCodeableConcept;
  return holds("positive", value) ? "positive" : holds("negative", value) ? "negative" : "unknown";
}

listen(port, (request) => {
  const resources = (key) => (request.prefetch[key]?.entry ?? []).map((each) => each.resource);
  const [conditions, observations] = [resources("conditions"), resources("observations")];
  return { all: conditions.some((each) => holds("all", each.code)), status: status(conditions, observations), ph: ph(observations) };
});
