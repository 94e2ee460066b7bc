import { documentsGate } from "./compiled-documents.mjs";

export const gate = documentsGate("platform-tables", "test/matrix/documents.js", "tables from test/matrix/results");
