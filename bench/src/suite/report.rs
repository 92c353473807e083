//! What was measured: lines on the terminal, JSON, and a page with [`plots`] that needs no other file.

use super::peak::Ceilings;
use super::plots;
use super::routine::Group;
use crate::Result;
use crate::bars::Verdict;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};
use suanzi_backends::Context;

/// A run.
#[derive(Serialize)]
pub struct Report {
    /// What was measured.
    pub group: String,
    /// This library's version.
    pub version: String,
    /// The device, its driver, and how many units it has.
    pub device: String,
    /// What it can do at best.
    pub ceilings: Ceilings,
    /// Who took part.
    pub peers: Vec<Named>,
    /// Who did not, and why.
    pub absent: Vec<Named>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// Bars, and what came of them.
    pub verdicts: Vec<Verdict>,
}

/// A peer, and what there is to say of it.
#[derive(Serialize)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// What it is, or why it is absent.
    pub about: String,
}

/// The middle of some values, and their ends.
#[derive(Clone, Copy, Serialize)]
pub struct Range {
    /// Half of the values are below.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

/// One contender on one problem.
#[derive(Serialize)]
pub struct Figure {
    /// The routine.
    pub routine: String,
    /// The elements.
    pub dtype: String,
    /// m, n and k.
    pub size: [usize; 3],
    /// The problem in words.
    pub case: String,
    /// Where it is on the plot against the size, if it is there.
    pub side: Option<f64>,
    /// Operations on real numbers.
    pub flops: f64,
    /// Bytes that must move.
    pub bytes: f64,
    /// Who.
    pub contender: String,
    /// The unit of the rate.
    pub unit: String,
    /// Work per time.
    pub rate: Range,
    /// Time.
    pub milliseconds: Range,
    /// This library's speed over the peer's; none of itself.
    pub of_ours: Option<Range>,
    /// What is wrong with its result.
    pub wrong: Option<String>,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.median >= 100.0 { 0 } else { 2 };
        let Range {
            median,
            least,
            most,
        } = self;
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = format!("{} {} {}", self.routine, self.dtype, self.case);
        write!(
            f,
            "{what:<26} {:<20} {} {}",
            self.contender, self.rate, self.unit
        )?;
        if let Some(ratio) = &self.of_ours {
            write!(f, "; ours over it {ratio}")?;
        }
        match &self.wrong {
            Some(wrong) => write!(f, "; WRONG: {wrong}"),
            None => Ok(()),
        }
    }
}

impl Report {
    /// Of a device, whose ceilings are measured.
    ///
    /// # Errors
    /// The device's.
    pub fn new(group: Group, ctx: &Context) -> Result<Report> {
        let (info, caps) = (ctx.device().info(), ctx.device().caps());
        Ok(Report {
            group: format!("{group:?}").to_lowercase(),
            version: env!("CARGO_PKG_VERSION").into(),
            device: format!(
                "{}: {}, {}, {} units",
                info.id, info.name, info.driver, caps.compute_units
            ),
            ceilings: Ceilings::measure(ctx)?,
            peers: vec![],
            absent: vec![],
            figures: vec![],
            verdicts: vec![],
        })
    }

    /// Notes somebody who takes part, and says so.
    pub fn takes_part(&mut self, name: &str, about: String) {
        println!("{name}: {about}");
        let name = name.into();
        self.peers.push(Named { name, about });
    }

    /// Notes somebody who does not.
    pub fn is_absent(&mut self, name: &str, about: String) {
        println!("{name}: absent ({about})");
        let name = name.into();
        self.absent.push(Named { name, about });
    }

    /// Writes report.json and report.html into a folder.
    ///
    /// # Errors
    /// Where that fails.
    pub fn write(&self, folder: &Path) -> Result<PathBuf> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(
            folder.join("report.json"),
            serde_json::to_string_pretty(self)?,
        )?;
        let page = folder.join("report.html");
        std::fs::write(&page, self.page()?)?;
        Ok(page)
    }

    fn page(&self) -> Result<String> {
        let mut page = format!(
            "<!doctype html><meta charset=utf-8><title>suanzi bench {0}</title><style>{STYLE}</style>\
             <h1>suanzi bench {0}</h1><p>suanzi {1} on {2}. Medians of turns in one run, on the same data, results \
             checked; least and greatest in brackets.</p><ul>",
            escaped(&self.group),
            escaped(&self.version),
            escaped(&self.device)
        );
        for (peers, word) in [(&self.peers, ""), (&self.absent, " is absent")] {
            for Named { name, about } in peers {
                page += &format!(
                    "<li><b>{}</b>{word}: {}</li>",
                    escaped(name),
                    escaped(about)
                );
            }
        }
        page += "</ul>";
        if !self.verdicts.is_empty() {
            page += "<h2>Bars</h2><table><tr><th>what<th>figure<th>bar<th></tr>";
        }
        for v in &self.verdicts {
            let (class, word) = if v.reached {
                ("", "ok")
            } else {
                ("wrong", "missed")
            };
            let [name, figure, bar] = [&v.name, &v.figure, &v.bar].map(|t| escaped(t));
            page += &format!(
                "<tr><td>{name}<td>{figure}<td>{bar}<td><span class={class:?}>{word}</span></tr>"
            );
        }
        if !self.verdicts.is_empty() {
            page += "</table>";
        }
        if self.figures.is_empty() {
            return Ok(page);
        }
        page += "<h2>Performance against size</h2>";
        let mut plots: Vec<(&str, &str)> = self
            .figures
            .iter()
            .map(|f| (&*f.routine, &*f.dtype))
            .collect();
        plots.dedup();
        for (routine, dtype) in plots {
            page += &plots::by_size(self, routine, dtype)?;
        }
        page += "<h2>Roofline</h2>";
        for (i, (part, dtypes)) in PARTS.iter().enumerate() {
            if let Some(peak) = self.ceilings.flops[i] {
                page += &plots::roofline(self, part, dtypes, peak)?;
            }
        }
        page += "<h2>Figures</h2><table><tr><th>problem<th>who<th>rate<th>ms<th>ours over it</tr>";
        for f in &self.figures {
            let ratio = f.of_ours.map_or(String::new(), |r| r.to_string());
            let wrong = f.wrong.as_ref().map_or(String::new(), |w| {
                format!(" <span class=wrong>{}</span>", escaped(w))
            });
            page += &format!(
                "<tr><td>{} {} {}<td>{}{wrong}<td>{} {}<td>{}<td>{ratio}</tr>",
                f.routine,
                f.dtype,
                escaped(&f.case),
                escaped(&f.contender),
                f.rate,
                f.unit,
                f.milliseconds
            );
        }
        Ok(page + "</table>")
    }
}

/// Parts of numbers, in the order of [`Ceilings::flops`], and the types that are made of them.
const PARTS: [(&str, &[&str]); 2] = [("f32", &["f32", "c64"]), ("f64", &["f64", "c128"])];

const STYLE: &str = "body{font:14px sans-serif;max-width:76em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
    td,th{padding:2px 10px;text-align:right;white-space:nowrap}\
    :is(td,th):is(:first-child,:nth-child(2)){text-align:left}\
    tr:nth-child(even){background:#f4f4f4}svg{max-width:100%;height:auto}.wrong{color:#c00}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
