// Modules in a row, named by their index: "0", "1", ...
import { Module } from "./module.js";

export class ModuleList<M extends Module> extends Module {
  readonly items: readonly M[];

  constructor(items: readonly M[]) {
    super();
    this.items = items.map((item, i) => this.child(String(i), item));
  }
}
