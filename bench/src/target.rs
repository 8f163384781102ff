//! The targets of figures, by the id of the row.

/// A target for a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The target to pass.
    pub(crate) pass: f64,
    /// An excellent result, if that is a separate target.
    pub(crate) excellent: Option<f64>,
    pub(crate) side: Side,
    pub(crate) of: Of,
}

/// Whether lower or higher is better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    AtMost,
    AtLeast,
}

/// The value that is compared with the target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Of {
    /// The ratio to the reference.
    Ratio,
    /// The value itself.
    Value,
}

/// The result of comparing a figure with its targets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Verdict {
    Short,
    Pass,
    Excellent,
}

impl Target {
    /// The ratio must not be above this.
    pub(crate) const fn ratio_at_most(pass: f64) -> Self {
        Self { pass, excellent: None, side: Side::AtMost, of: Of::Ratio }
    }

    /// The ratio must not be below this.
    pub(crate) const fn ratio_at_least(pass: f64) -> Self {
        Self { side: Side::AtLeast, ..Self::ratio_at_most(pass) }
    }

    /// The value must not be above this.
    pub(crate) const fn value_at_most(pass: f64) -> Self {
        Self { of: Of::Value, ..Self::ratio_at_most(pass) }
    }

    pub(crate) const fn excellent(self, mark: f64) -> Self {
        Self { excellent: Some(mark), ..self }
    }

    pub(crate) fn verdict(&self, value: f64, ratio: Option<f64>) -> Verdict {
        let held = match self.of {
            Of::Value => value,
            Of::Ratio => ratio.unwrap_or(f64::NAN),
        };
        let reaches = |mark: f64| match self.side {
            Side::AtMost => held <= mark,
            Side::AtLeast => held >= mark,
        };
        if self.excellent.is_some_and(reaches) {
            Verdict::Excellent
        } else if reaches(self.pass) {
            Verdict::Pass
        } else {
            Verdict::Short
        }
    }
}

impl Verdict {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Pass => "pass",
            Self::Excellent => "excellent",
        }
    }
}

/// Returns the target of a row. Rows that compare several values with targets of their own, such as
/// counts, name those targets where they take the values.
pub(crate) fn of(id: &str) -> Option<Target> {
    Some(match id {
        "V1" => Target::ratio_at_most(1.5).excellent(1.2),
        "V2" => Target::ratio_at_most(1.3).excellent(1.1),
        "V3" => Target::ratio_at_least(1.9),
        "V5" => Target::value_at_most(200.0).excellent(160.0),
        "V6" => Target::value_at_most(30.0),
        "R1" | "R2" => Target::ratio_at_most(1.25).excellent(1.1),
        "R3" => Target::value_at_most(600.0).excellent(520.0),
        "R4" | "R5" => Target::ratio_at_least(0.8),
        "R6" => Target::ratio_at_most(1.5),
        // Milliseconds.
        "R7" | "E3" => Target::value_at_most(20.0),
        "R8" => Target::value_at_most(2.0),
        "C1" => Target::ratio_at_least(2.5),
        // Percent of a core.
        "I1" => Target::value_at_most(5.0),
        "E1" => Target::ratio_at_least(1.0),
        "E2" => Target::ratio_at_least(0.8),
        // Nanoseconds.
        "S1" => Target::value_at_most(1_000.0),
        "X1" => Target::value_at_most(200.0),
        "H1" => Target::ratio_at_least(0.85).excellent(0.9),
        "H2" => Target::ratio_at_least(12.0).excellent(15.0),
        "H3" => Target::ratio_at_least(5.0),
        "H4" => Target::ratio_at_least(20.0).excellent(25.0),
        "H5" => Target::ratio_at_most(1.3),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_on_its_side_of_the_marks() {
        let target = Target::ratio_at_most(1.5).excellent(1.2);
        let verdicts = [1.2, 1.3, 1.6].map(|ratio| target.verdict(0.0, Some(ratio)));
        assert_eq!(verdicts, [Verdict::Excellent, Verdict::Pass, Verdict::Short]);
        assert_eq!(Target::ratio_at_least(0.8).verdict(0.0, Some(0.9)), Verdict::Pass);
        assert_eq!(
            target.verdict(0.0, None),
            Verdict::Short,
            "without a reference no target is met"
        );
        assert_eq!(Target::value_at_most(30.0).verdict(f64::NAN, None), Verdict::Short);
    }
}
