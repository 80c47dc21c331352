// Custom resources, as JSON on standard input, against their definitions: prints what is wrong, one line each.
// `validate` finds what is missing or of the wrong form, the types find fields that nobody knows.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

const PACKAGES = {
  "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
  "gateway.networking.k8s.io/v1": "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1",
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};
const SOURCE = join(import.meta.dirname, "resources.ts");

async function malformed(resource) {
  const models = await import(PACKAGES[resource.apiVersion]);
  try {
    new models[resource.kind](resource).validate();
    return [];
  } catch (error) {
    return [`${resource.kind} ${resource.metadata?.name}: ${error.message}`];
  }
}

function typed(resource, number) {
  const type = `import("${PACKAGES[resource.apiVersion]}").I${resource.kind}`;
  return `export const r${number}: ${type} = ${JSON.stringify(resource)};`;
}

function unknown(resources) {
  const options = { strict: true, noEmit: true, skipLibCheck: true, types: [],
    module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  host.fileExists = (name) => name === SOURCE || ts.sys.fileExists(name);
  host.getSourceFile = (name, ...rest) =>
    name === SOURCE ? ts.createSourceFile(name, resources.map(typed).join("\n"), ...rest) : read(name, ...rest);
  return ts.getPreEmitDiagnostics(ts.createProgram([SOURCE], options, host)).map((found) => {
    const line = found.file?.getLineAndCharacterOfPosition(found.start).line ?? 0;
    const resource = resources[line];
    return `${resource.kind} ${resource.metadata?.name}: ${ts.flattenDiagnosticMessageText(found.messageText, " ")}`;
  });
}

const resources = JSON.parse(readFileSync(0, "utf8"));
const stranger = resources.find((resource) => !(resource.apiVersion in PACKAGES));
if (stranger) throw new Error(`no definition of ${stranger.apiVersion}`);
const wrong = [...(await Promise.all(resources.map(malformed))).flat(), ...unknown(resources)];
for (const line of wrong) console.log(line);
