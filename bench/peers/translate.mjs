// CQL to ELM with the reference translator: node translate.mjs IN.cql OUT.json
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import {
  CqlTranslator,
  LibraryManager,
  ModelManager,
  createModelInfoProvider,
  stringAsSource,
} from "@cqframework/cql/cql-to-elm";

const [source, target] = process.argv.slice(2);
const fhir = createRequire(import.meta.url).resolve("cql-exec-fhir");
const files = {
  FHIR: join(dirname(fhir), "modelInfos", "fhir-modelinfo-4.0.1.xml"),
  System: join(import.meta.dirname, "system-modelinfo.xml"),
};

const models = new ModelManager();
models.modelInfoLoader.registerModelInfoProvider(
  createModelInfoProvider((name) => stringAsSource(readFileSync(files[name], "utf8"))),
);
const translator = CqlTranslator.fromText(readFileSync(source, "utf8"), new LibraryManager(models));
const errors = translator.errors.asJsReadonlyArrayView().map((error) => error.message);
if (errors.length > 0) {
  throw new Error(errors.join("; "));
}
writeFileSync(target, translator.toJson());
