//! The rules of the domain, whole: every stage with every trigger, random sequences against a model, the committed
//! drawing. Single rules are tested beside the code.

mod design_table;
mod document;
mod explaining;
mod model;
mod sequences;
mod snapshot;
mod support;
