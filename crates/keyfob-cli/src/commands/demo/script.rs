//! The output of the demo: as text, or as JSON with one object per step.

use std::fmt::Display;

use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

const TITLE: &str = "Distributed Token Management Example";
const RULE: &str = "==================================";

/// The output of the demo: as text, or as JSON with one object per step.
pub(super) struct DemoScript<'a> {
    output: &'a mut Output,
    number: u32,
    step: Option<Step>,
}

#[derive(Serialize)]
struct Step {
    step: u32,
    title: &'static str,
    lines: Vec<String>,
}

impl<'a> DemoScript<'a> {
    pub(super) fn begin(output: &'a mut Output) -> Result<Self, Failure> {
        if !output.is_json() {
            output.line(TITLE)?;
            output.line(RULE)?;
        }
        Ok(Self { output, number: 0, step: None })
    }

    pub(super) fn step(&mut self, title: &'static str, rule: &str) -> Result<(), Failure> {
        self.end()?;
        self.number += 1;
        if self.output.is_json() {
            self.step = Some(Step { step: self.number, title, lines: Vec::new() });
            return Ok(());
        }
        self.output.line(format_args!("\n{}. {title}\n{rule}", self.number))
    }

    pub(super) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        match &mut self.step {
            Some(step) => {
                step.lines.push(line.to_string());
                Ok(())
            }
            None => self.output.line(line),
        }
    }

    pub(super) fn end(&mut self) -> Result<(), Failure> {
        match self.step.take() {
            Some(step) => self.output.object(&step),
            None => self.output.flush(),
        }
    }
}
