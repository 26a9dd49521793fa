//! Writes to variables of TensorFlow 1.

/// How a variable of TensorFlow 1 gets its new value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Write {
    Assign,
    Add,
    Subtract,
}

impl Write {
    pub(super) fn of(operator: &str) -> Option<Self> {
        match operator {
            "Assign" => Some(Self::Assign),
            "AssignAdd" => Some(Self::Add),
            "AssignSub" => Some(Self::Subtract),
            _ => None,
        }
    }
}
