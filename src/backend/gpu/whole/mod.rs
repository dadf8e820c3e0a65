//! Whole steps: the calls of a fused training step in one kernel, of which a workgroup trains one
//! member for many steps in one dispatch. For networks so small that a step's calls cost more than
//! their work.
//!
//! The kernel is made of the calls' own sources, so no mathematics is written twice. Each source's
//! names are given the call's number; files that hold nothing of a call stand once. A call's
//! workgroups, of 64 invocations each, become turns of the one workgroup: so many at once as it has
//! 64 invocations. Between calls stands a barrier; what one leaves to the next stays in the caches.

mod load;
mod rename;
mod trial;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

use super::source::{self, Fragment};
use super::tile::{Product, Tile};
use crate::kernels::{Kernel, Parameters};
use crate::program::{BufferId, Call, Plan, Precision, Program};
use rename::{Declared, Replacement, Text};

pub(super) use load::{Choice, Loading, Whole};

/// Most multiplications and additions of a member's step: past that one workgroup is far behind
/// many.
const MOST_PRODUCTS: u64 = 4_000_000;

/// Most calls: past that the source is long to compile.
const MOST_CALLS: usize = 24;

/// Invocations of each call's workgroup.
const LANES: u32 = 64;

/// Files that hold nothing of a call.
const COMMON: [&str; 6] = [
    "shared/step.wgsl",
    "shared/state_write.wgsl",
    "shared/threefry.wgsl",
    "shared/dropout.wgsl",
    "shared/finite.wgsl",
    "shared/rows_gathered.wgsl",
];

/// The name of the uniform, the only one.
pub const UNIFORM: &str = "calls";

/// When fused training steps that can be are run whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WholeSteps {
    /// Always.
    Always,
    /// Where a measurement, when a plan is loaded, finds it faster.
    Measured,
    /// Never.
    Never,
}

/// What an adapter allows of it.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    /// Storage buffers of a kernel.
    pub storage_buffers: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Bytes of a uniform.
    pub uniform_bytes: u64,
}

/// The kernel of a program's whole steps.
#[derive(Debug, Clone)]
pub struct WholeSource {
    /// The WGSL. Its uniform holds a quad of words, of which the first is the number of steps, and
    /// then the uniforms of the calls.
    pub text: String,
    /// The buffer of each of its bindings by name, but for the uniform; each has its own memory.
    pub buffers: HashMap<String, BufferId>,
}

/// The update that ends a program's step.
pub(super) fn last_update(program: &Program) -> Option<&crate::kernels::update::Update> {
    program.calls.iter().find_map(|call| match &call.parameters {
        Parameters::Update(update) if update.finishes == 1 => Some(update),
        _ => None,
    })
}

/// The kernel of a program's whole steps; none where the program is no fused training step of few
/// and small calls, or the adapter does not allow it.
pub fn compose(plan: &Plan, program: &Program, allowed: Allowed) -> Option<WholeSource> {
    let calls = &program.calls;
    let kinds = [Kernel::DenseForward, Kernel::Loss, Kernel::InputGradient, Kernel::Update];
    let rows = u64::from(last_update(program)?.rows());
    let flops: u64 = calls.iter().map(|call| call.cost(rows).flops).sum();
    let is_step = calls.iter().any(|call| call.kernel == Kernel::Loss)
        && calls.iter().all(|call| kinds.contains(&call.kernel));
    // Loss scales are no part of whole steps.
    let halves = calls.iter().any(|call| call.variants.precision != Precision::F32);
    if !is_step
        || halves
        || calls.len() > MOST_CALLS
        || flops / 2 > MOST_PRODUCTS * plan.members as u64
    {
        return None;
    }
    let mut module = Module::new(plan);
    for (number, call) in calls.iter().enumerate() {
        module.add(number, call)?;
    }
    let most = module.turns.iter().map(|turns| turns.groups).max().unwrap_or(1);
    let lanes = (most * LANES).next_power_of_two().min(256);
    let lanes = if lanes <= allowed.invocations { lanes } else { LANES };
    let uniforms: usize = calls.iter().map(|call| call.parameters.bytes().len()).sum();
    let fits = module.buffers.len() <= allowed.storage_buffers as usize
        && lanes <= allowed.invocations
        && uniforms as u64 + 16 <= allowed.uniform_bytes;
    fits.then(|| module.finish(lanes / LANES, plan.members))
}

/// The tile of a call: its width is that of few columns, so that no invocation is idle.
fn tile_of(call: &Call) -> Tile {
    let columns = match Product::of(call) {
        Some(product) if call.kernel.is_matmul() => product.columns,
        _ => return Tile::NAIVE,
    };
    let across = columns.next_power_of_two().clamp(1, LANES);
    Tile { invocations: [LANES / across, across], ..Tile::NAIVE }
}

/// A buffer as the module declares it.
struct Bound {
    name: String,
    of_type: String,
    written: bool,
}

/// The turns of a call.
struct Turns {
    about: String,
    /// The call of its entry point, where `group` is the turn.
    entry: String,
    groups: u32,
}

/// A module on its way.
struct Module<'a> {
    plan: &'a Plan,
    text: String,
    common: HashSet<&'static str>,
    buffers: BTreeMap<BufferId, Bound>,
    /// The type of each call's uniform.
    uniforms: Vec<String>,
    turns: Vec<Turns>,
}

impl<'a> Module<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            text: String::new(),
            common: HashSet::new(),
            buffers: BTreeMap::new(),
            uniforms: Vec::new(),
            turns: Vec::new(),
        }
    }

    /// Binds a buffer, once; none where two calls disagree about its elements.
    fn bind(&mut self, name: &str, of_type: String, written: bool, id: BufferId) -> Option<&Bound> {
        let bound = self.buffers.entry(id).or_insert_with(|| Bound {
            name: name.to_owned(),
            of_type: of_type.clone(),
            written,
        });
        bound.written |= written;
        (bound.of_type == of_type).then_some(bound)
    }

    /// Adds a file that stands once. Its bindings keep their names.
    fn add_common(&mut self, file: &'static str, text: &str, call: &Call) -> Option<()> {
        let is_new = self.common.insert(file);
        let text = Text::new(text);
        for Declared { name, of_type, written, .. } in &text.bindings {
            let (id, first) = self.plan.memory(call.buffer(name)?);
            let bound = self.bind(name, of_type.clone(), *written, id)?;
            if first != 0 || bound.name != *name {
                return None;
            }
        }
        if is_new {
            self.text.push_str(&text.replaced(&HashMap::new()));
        }
        Some(())
    }

    fn add(&mut self, number: usize, call: &Call) -> Option<()> {
        let tile = tile_of(call);
        let mut own = String::new();
        for Fragment { file, text } in source::fragments(call, tile, true) {
            match file.filter(|file| COMMON.contains(file)) {
                Some(file) => self.add_common(file, &text, call)?,
                None => own.push_str(&text),
            }
        }
        let text = Text::new(&own);
        // A barrier within a call would be met by some of the invocations only.
        if text.has("workgroupBarrier") {
            return None;
        }
        let mut replacements: HashMap<String, Replacement> = text
            .names
            .iter()
            .map(|name| (name.clone(), Replacement::Name(format!("{name}_{number}"))))
            .collect();
        for declared in text.bindings.iter().filter(|declared| declared.uniform) {
            let place = Replacement::Name(format!("{UNIFORM}.call_{number}"));
            replacements.insert(declared.name.clone(), place);
            self.uniforms.push(format!("{}_{number}", declared.of_type));
        }
        for declared in text.bindings.iter().filter(|declared| !declared.uniform) {
            let (id, first) = self.plan.memory(call.buffer(&declared.name)?);
            // `Reals` is one f32 in a tile that is naive.
            let of_type = declared.of_type.replace("Reals", "f32");
            let name = format!("buffer_{}", id.0);
            let name = self.bind(&name, of_type, declared.written, id)?.name.clone();
            replacements.insert(declared.name.clone(), Replacement::Part(name, first));
        }
        if self.uniforms.len() != number + 1 {
            return None;
        }
        let [x, y, _] = source::workgroups(call, tile, u32::MAX);
        let arguments: Vec<String> = text
            .parameters("main")
            .into_iter()
            .map(|name| match name {
                "workgroup" => Some(format!("vec3<u32>(group % {x}u, group / {x}u, member)")),
                "workgroups" => Some(format!("vec3<u32>({x}u, {y}u, {}u)", self.plan.members)),
                "lane" => Some("lane".to_owned()),
                _ => None,
            })
            .collect::<Option<_>>()?;
        self.turns.push(Turns {
            about: format!("{} of {}", call.kernel.name(), number),
            entry: format!("main_{number}({})", arguments.join(", ")),
            groups: x.checked_mul(y)?,
        });
        self.text.push_str(&text.replaced(&replacements));
        Some(())
    }

    /// The module, of which so many turns of a call are taken at once.
    fn finish(self, at_once: u32, members: usize) -> WholeSource {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "struct Calls {{\n    steps: vec4<u32>,");
        for (number, uniform) in self.uniforms.iter().enumerate() {
            let _ = writeln!(text, "    @align(16) call_{number}: {uniform},");
        }
        let _ = writeln!(text, "}}\n\n@group(0) @binding(0) var<uniform> {UNIFORM}: Calls;");
        for (number, Bound { name, of_type, written }) in self.buffers.values().enumerate() {
            let access = if *written { "read_write" } else { "read" };
            let number = number + 1;
            let _ = writeln!(
                text,
                "@group(0) @binding({number}) var<storage, {access}> {name}: {of_type};"
            );
        }
        text.push_str(&self.text);
        let lanes = at_once * LANES;
        let _ = write!(
            text,
            "
// A workgroup for each of {members} members.
@compute @workgroup_size({lanes}, 1, 1)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {{
    let member = workgroup.z;
    let first = invocation / {LANES}u;
    let lane = invocation % {LANES}u;
    for (var step = 0u; step < {UNIFORM}.steps.x; step++) {{
"
        );
        for Turns { about, entry, groups } in &self.turns {
            let _ = write!(
                text,
                "        // {about}
        for (var group = first; group < {groups}u; group += {at_once}u) {{
            {entry};
        }}
        storageBarrier();
"
            );
        }
        text.push_str("    }\n}\n");
        let buffers = self.buffers.into_iter().map(|(id, bound)| (bound.name, id)).collect();
        WholeSource { text, buffers }
    }
}
