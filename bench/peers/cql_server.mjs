// cql-execution and cql-exec-fhir behind Node's own HTTP server: node cql_server.mjs PORT VALUE_SETS ELM
import { readFileSync } from "node:fs";
import { CodeService, Executor, Library } from "cql-execution";
import fhir from "cql-exec-fhir";
import { listen } from "./http.mjs";

const [port, valueSets, elm] = process.argv.slice(2);
const sets = Object.entries(JSON.parse(readFileSync(valueSets, "utf8")));
const codes = Object.fromEntries(sets.map(([name, found]) => [`urn:bench:${name}`, { 1: found }]));
const executor = new Executor(new Library(JSON.parse(readFileSync(elm, "utf8"))), new CodeService(codes));

listen(port, async (request) => {
  const { patient, ...bundles } = request.prefetch;
  const entries = Object.values(bundles).flatMap((bundle) => bundle?.entry ?? []);
  const source = fhir.PatientSource.FHIRv401();
  source.loadBundles([{ resourceType: "Bundle", type: "collection", entry: [{ resource: patient }, ...entries] }]);
  const results = await executor.exec(source);
  const found = results.patientResults[patient.id];
  return { all: found["Has ALL"], status: found.Status, ph: found.Ph };
});
