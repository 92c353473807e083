//! What a case comes to.

use crate::case::Case;
use crate::measure::Histogram;
use serde::{Deserialize, Serialize};

/// The six ends of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Every result within its limit, nothing else touched.
    Passed,
    /// A result beyond its limit, memory touched that is not the result's, or an error.
    Failed,
    /// The process died.
    Crashed,
    /// No answer in time.
    Hung,
    /// The device lacks something, and says so.
    Unsupported,
    /// The case could not have failed, so that its passing says nothing.
    Mistrusted,
}

impl Status {
    /// Every status, in the order of the report.
    pub const ALL: [Status; 6] = [
        Status::Passed,
        Status::Failed,
        Status::Crashed,
        Status::Hung,
        Status::Unsupported,
        Status::Mistrusted,
    ];

    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Passed => "passed",
            Status::Failed => "failed",
            Status::Crashed => "crashed",
            Status::Hung => "hung",
            Status::Unsupported => "unsupported",
            Status::Mistrusted => "mistrusted",
        }
    }

    /// Whether a device with such a case is conformant: it does it, or says that it does not.
    pub const fn is_fine(self) -> bool {
        matches!(self, Status::Passed | Status::Unsupported)
    }
}

/// What a mistake in a kernel does to a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// No kernel had it.
    #[default]
    Absent,
    /// Not a bit changes.
    Same,
    /// Something changes, or goes wrong.
    Changed,
}

impl Effect {
    /// Whether no kernel had a mistake.
    pub fn is_absent(&self) -> bool {
        *self == Effect::Absent
    }
}

/// The worst element of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worst {
    /// Its index in the result.
    pub index: Vec<usize>,
    /// The inputs that it was made from, where they are few.
    pub inputs: Vec<String>,
    /// The reference, rounded to the dtype.
    pub expected: String,
    /// The result.
    pub got: String,
}

/// The result of a case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case.
    pub id: String,
    /// Its operator.
    pub op: String,
    /// Its dtype.
    pub dtype: String,
    /// What it came to.
    pub status: Status,
    /// The largest error; absent where there is none to measure, or where it is infinite.
    pub error: Option<f64>,
    /// The largest error allowed.
    pub limit: f64,
    /// What both are measured in.
    pub unit: String,
    /// Why, in words, unless it passed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The element with the largest error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<Worst>,
    /// Errors in units in the last place.
    #[serde(default)]
    pub histogram: Histogram,
    /// Elements that were compared.
    #[serde(default)]
    pub compared: u64,
    /// Elements that are right only if the device flushes denormals.
    #[serde(default)]
    pub flushed: u64,
    /// Kernels launched.
    #[serde(default)]
    pub launches: u32,
    /// Milliseconds that it took, reference included.
    #[serde(default)]
    pub ms: f64,
    /// What a mistake in its kernels did, on a device that compares them with the right ones.
    #[serde(default, skip_serializing_if = "Effect::is_absent")]
    pub effect: Effect,
    /// The device was lost: nothing more can run on it in this process.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl CaseResult {
    /// The result of a case of which nothing is known yet.
    pub fn new(case: &Case) -> CaseResult {
        CaseResult {
            id: case.to_string(),
            op: case.op.clone(),
            dtype: case.dtype.to_string(),
            status: Status::Failed,
            error: None,
            limit: 0.0,
            unit: "ulp".into(),
            detail: String::new(),
            worst: None,
            histogram: Histogram::default(),
            compared: 0,
            flushed: 0,
            launches: 0,
            ms: 0.0,
            effect: Effect::Absent,
            lost: false,
        }
    }
}
