//! What was measured: lines on the terminal, JSON, and a page with plots that needs no other file.

use super::peak::Ceilings;
use super::routine::Group;
use crate::Result;
use crate::bars::Verdict;
use plotters::coord::Shift;
use plotters::prelude::*;
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
            page += &self.by_size(routine, dtype)?;
        }
        page += "<h2>Roofline</h2>";
        for (i, (part, dtypes)) in PARTS.iter().enumerate() {
            if let Some(peak) = self.ceilings.flops[i] {
                page += &self.roofline(part, dtypes, peak)?;
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

    /// Rates against the size, a line for each contender. What has no place there is left to the table.
    fn by_size(&self, routine: &str, dtype: &str) -> Result<String> {
        let of = |f: &&Figure| f.routine == routine && f.dtype == dtype && f.side.is_some();
        let regular: Vec<&Figure> = self.figures.iter().filter(of).collect();
        let Some(first) = regular.first() else {
            return Ok(String::new());
        };
        let side = |f: &Figure| f.side.unwrap_or(1.0);
        let ends = |of: &dyn Fn(&Figure) -> f64| {
            let values = regular.iter().map(|f| of(f));
            values.fold((f64::MAX, 0.0), |(lo, hi): (f64, f64), x| {
                (lo.min(x), hi.max(x))
            })
        };
        let (from, to) = ends(&side);
        let (_, top) = ends(&|f| f.rate.median);
        plot(|root| {
            let mut chart = ChartBuilder::on(&root)
                .caption(
                    format!("{routine} {dtype}, {}", first.unit),
                    ("sans-serif", 18),
                )
                .margin(10)
                .x_label_area_size(35)
                .y_label_area_size(55)
                .build_cartesian_2d((from..to.max(from + 1.0)).log_scale(), 0.0..top * 1.1)?;
            chart
                .configure_mesh()
                .x_desc("n")
                .y_desc(&first.unit)
                .draw()?;
            for (i, peer) in self.peers.iter().enumerate() {
                let points: Vec<(f64, f64)> = regular
                    .iter()
                    .filter(|f| f.contender == peer.name)
                    .map(|f| (side(f), f.rate.median))
                    .collect();
                if points.is_empty() {
                    continue;
                }
                let colour = Palette99::pick(i).to_rgba();
                chart
                    .draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(3))?
                    .label(&peer.name)
                    .legend(move |(x, y)| {
                        PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2))
                    });
            }
            chart
                .configure_series_labels()
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK)
                .draw()?;
            Ok(())
        })
    }

    /// Everybody's rates against the work for each byte, under the ceilings that were measured: the device's own copy,
    /// and its rate of fma in registers.
    fn roofline(&self, part: &str, dtypes: &[&str], peak: f64) -> Result<String> {
        let copy = self.ceilings.copy;
        let figures = self.figures.iter();
        let figures: Vec<&Figure> = figures
            .filter(|f| f.flops > 0.0 && dtypes.contains(&&*f.dtype))
            .collect();
        if figures.is_empty() {
            return Ok(String::new());
        }
        let point = |f: &Figure| (f.flops / f.bytes, f.flops / f.milliseconds.median / 1e6);
        let ours = |f: &&&Figure| f.of_ours.is_none();
        let points = |mine: bool| {
            figures
                .iter()
                .filter(move |f| ours(f) == mine)
                .map(|f| point(f))
        };
        let all = || figures.iter().map(|f| point(f));
        let knee = peak / copy;
        let from = all().fold(knee, |lo, p| lo.min(p.0)) / 2.0;
        let to = all().fold(knee, |hi, p| hi.max(p.0)) * 2.0;
        let low = all().fold(peak, |lo, p| lo.min(p.1)) / 2.0;
        let high = all().fold(peak, |hi, p| hi.max(p.1)) * 2.0;
        let line: Vec<(f64, f64)> = [from, knee, to].map(|x| (x, (x * copy).min(peak))).into();
        plot(|root| {
            let caption = format!(
                "{part}: measured ceilings {copy:.1} GB/s (copy), {peak:.0} GFLOP/s (fma in registers)"
            );
            let mut chart = ChartBuilder::on(&root)
                .caption(caption, ("sans-serif", 18))
                .margin(10)
                .x_label_area_size(35)
                .y_label_area_size(55)
                .build_cartesian_2d((from..to).log_scale(), (low..high).log_scale())?;
            chart
                .configure_mesh()
                .x_desc("operations per byte")
                .y_desc("GFLOP/s")
                .draw()?;
            chart.draw_series(LineSeries::new(line, BLACK.stroke_width(2)))?;
            let grey = RGBColor(170, 170, 170);
            chart
                .draw_series(points(false).map(|p| Circle::new(p, 2, grey.filled())))?
                .label("peers")
                .legend(move |(x, y)| Circle::new((x + 9, y), 3, grey.filled()));
            chart
                .draw_series(points(true).map(|p| Circle::new(p, 4, BLUE.filled())))?
                .label("this library")
                .legend(|(x, y)| Circle::new((x + 9, y), 4, BLUE.filled()));
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::LowerRight)
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK)
                .draw()?;
            Ok(())
        })
    }
}

/// Parts of numbers, in the order of [`Ceilings::flops`], and the types that are made of them.
const PARTS: [(&str, &[&str]); 2] = [("f32", &["f32", "c64"]), ("f64", &["f64", "c128"])];

const STYLE: &str = "body{font:14px sans-serif;max-width:64em;margin:2em auto;padding:0 1em}\
    td,th{padding:2px 10px;text-align:right}td:first-child,td:nth-child(2){text-align:left}\
    tr:nth-child(even){background:#f4f4f4}svg{max-width:100%;height:auto}.wrong{color:#c00}";

fn plot(draw: impl FnOnce(DrawingArea<SVGBackend<'_>, Shift>) -> Result<()>) -> Result<String> {
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (900, 380)).into_drawing_area();
    root.fill(&WHITE)?;
    draw(root)?;
    Ok(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
