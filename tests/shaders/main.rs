//! Every kernel in every variant, without a GPU: it composes, validates, and is written in the
//! language of every driver; host structs match the shaders'; the catalog and the folder agree.

mod calls;
mod drivers;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};

use wgfit::backend::gpu::pieces::in_pieces;
use wgfit::backend::gpu::source::compose;
use wgfit::backend::gpu::whole::{Allowed, compose as compose_whole};
use wgfit::backend::gpu::{Tile, reflect, tile};
use wgfit::catalog::activation::{ACTIVATIONS, ActivationSettings};
use wgfit::catalog::loss::{LOSSES, LossRow, LossSettings};
use wgfit::catalog::metric::TERMS;
use wgfit::catalog::normalization::NORMALIZATIONS;
use wgfit::catalog::optimizer::{Convention, OPTIMIZERS, OptimizerForm};
use wgfit::catalog::row_activation::ROW_ACTIVATIONS;
use wgfit::kernels::embedding::EmbeddedColumn;
use wgfit::kernels::update::UpdatedLayer;
use wgfit::kernels::{Kernel, Parameters};
use wgfit::network::{LayerShape, Network};
use wgfit::program::{
    Call, LayerSettings, LossScale, MemberState, Pass, PassKind, Plan, PlanRequest, Precision,
    StepSettings,
};

use calls::{calls, calls_in_f16, sources, sources_of};
use drivers::{is_cooperative, translate, validate};

#[test]
fn every_variant_validates_and_is_written_for_every_driver() {
    all_validate(&sources());
}

#[test]
fn every_variant_in_f16_validates_and_is_written_for_every_driver() {
    let sources = sources_of(calls_in_f16());
    all_validate(&sources);
    // Nothing but what works on weights alone does without 16-bit floats, in the first line.
    for (source, name) in &sources {
        let halves = source.contains("<f16>");
        assert_eq!(halves, source.starts_with("enable f16;\n"), "{name}");
    }
}

/// One of each kernel and of each kind of tile: what is changed is the entry point, which is theirs.
#[test]
fn every_kernel_runs_in_pieces() {
    let mut seen = BTreeSet::new();
    for (source, name) in sources().into_iter().chain(sources_of(calls_in_f16())) {
        let pieces = in_pieces(&source).unwrap_or_else(|| panic!("{name} has no entry point"));
        let kernel = name.split(' ').next().unwrap_or_default();
        if !seen.insert((kernel.to_owned(), is_cooperative(&source), source.contains("f16"))) {
            continue;
        }
        translate(&pieces).unwrap_or_else(|why| panic!("{name}: {why}\n{pieces}"));
        let before = reflect::bindings(&name, &source).expect("checked elsewhere");
        assert_eq!(reflect::bindings(&name, &pieces).expect("it is valid"), before, "{name}");
    }
    assert!(seen.len() > Kernel::ALL.len(), "{seen:?}");
}

/// Plans of f32 are made of the files as they are.
#[test]
fn nothing_of_f16_is_in_a_source_of_f32() {
    for (source, name) in sources() {
        for word in ["f16", "narrowed", "loss_scale"] {
            assert!(!source.contains(word), "{name}: {word}");
        }
    }
}

fn all_validate(sources: &BTreeMap<String, String>) {
    let kernels: BTreeSet<_> = sources.values().filter_map(|name| name.split(' ').next()).collect();
    assert_eq!(kernels.len(), Kernel::ALL.len(), "kernels without a source: only {kernels:?}");
    let failures: Vec<String> = sources
        .iter()
        .filter_map(|(source, name)| translate(source).err().map(|why| format!("{name}: {why}")))
        .collect();
    let (failed, all) = (failures.len(), sources.len());
    assert!(failures.is_empty(), "{failed} of {all} shaders fail:\n{}", failures.join("\n"));
}

/// Whole steps of every activation, loss and optimizer, and of 0 to 3 hidden layers.
#[test]
fn whole_steps_validate_and_are_written_for_every_driver() {
    let whole = |activation, hidden: usize, loss: &'static LossRow, optimizer, form| {
        let shape = LayerShape::new(9, ActivationSettings::new(activation, Convention::Torch));
        let shapes = vec![LayerShape { dropout: 0.1, ..shape }; hidden];
        let outputs = 3 * loss.outputs_per_target();
        let network = Network::new(2, 5, &shapes, outputs).expect("a network");
        let plan = Plan::new(&PlanRequest {
            network: &network,
            loss: LossSettings::new(loss, Convention::Torch),
            terms: Vec::new(),
            target_width: 3,
            update: Some(wgfit::program::Update::new(optimizer, form)),
            gradient_statistics: false,
            fuses: true,
            precision: Precision::F32,
            splits: false,
            passes: vec![Pass {
                name: "train".to_owned(),
                set: "train".to_owned(),
                kind: PassKind::Train,
                resident_rows: 20,
                batch_rows: 7,
                table_steps: 3,
                weighted: true,
                collected_rows: 20,
            }],
        })
        .expect("a plan");
        let allowed = Allowed { storage_buffers: 24, invocations: 256, uniform_bytes: 16384 };
        let source = compose_whole(&plan, &plan.programs[0], allowed);
        source.unwrap_or_else(|| panic!("{} has no whole steps", loss.name)).text
    };
    let (sgd, plain) = (&OPTIMIZERS[0], OptimizerForm::default());
    let mut sources = Vec::new();
    for (index, activation) in ACTIVATIONS.iter().enumerate() {
        sources.push(whole(activation, index % 4, &LOSSES[0], sgd, plain));
    }
    for loss in &LOSSES {
        sources.push(whole(&ACTIVATIONS[0], 1, loss, sgd, plain));
    }
    for row in OPTIMIZERS.iter().filter(|row| !row.orthogonalises()) {
        for form in OptimizerForm::all(row) {
            sources.push(whole(&ACTIVATIONS[0], 1, &LOSSES[0], row, form));
        }
    }
    for source in sources {
        translate(&source).unwrap_or_else(|why| panic!("{why}\n{source}"));
    }
}

#[test]
fn every_product_has_a_source_of_every_cooperative_tile() {
    let sources = sources();
    let products: Vec<Kernel> = Kernel::ALL
        .iter()
        .copied()
        .filter(|kernel| kernel.is_matmul() || *kernel == Kernel::Update)
        .collect();
    assert_eq!(products.len(), 5, "{products:?}");
    let tiles: Vec<Tile> =
        tile::SUBGROUPS.into_iter().flat_map(tile::cooperative_candidates).collect();
    assert_eq!(tiles.len(), 6, "{tiles:?}");
    for kernel in products {
        for tile in &tiles {
            let (start, end) = (format!("{} ", kernel.name()), format!(" {tile}"));
            let of_both = |name: &&String| name.starts_with(&start) && name.ends_with(&end);
            let texts = sources.iter().filter(|(_, name)| of_both(name));
            let texts: Vec<_> = texts.map(|(text, _)| text).collect();
            // Operands of scalars and of quads.
            assert!(texts.len() >= 2, "{start}{end}: {}", texts.len());
            assert!(texts.iter().all(|text| is_cooperative(text)), "{start}{end}");
        }
    }
}

#[test]
fn a_faulty_cooperative_tile_fails() {
    let (source, _) = sources()
        .into_iter()
        .find(|(source, _)| is_cooperative(source))
        .expect("a cooperative tile");
    assert_eq!(translate(&source), Ok(()));
    for (right, wrong) in [
        // The roles of the operands.
        ("coopMultiplyAdd(a0, b0,", "coopMultiplyAdd(b0, a0,"),
        ("coop_mat8x8<f32, B>", "coop_mat8x8<f32, A>"),
        ("enable wgpu_cooperative_matrix;", ""),
        ("result_tile[i] = 0.0;", "result_tile[i] = subgroupAdd(0.0);"),
    ] {
        assert!(source.contains(right), "{right}");
        assert!(translate(&source.replace(right, wrong)).is_err(), "{right} as {wrong}");
    }
}

#[test]
fn a_faulty_shader_fails() {
    let (source, _) = sources().pop_first().expect("a source");
    assert!(translate(&format!("{source}\nfn faulty() -> u32 {{ return 1.0f; }}")).is_err());
    assert!(translate(&source.replacen("settings.rows", "settings.row", 1)).is_err());
}

#[test]
fn every_kernel_stays_within_the_limits_that_webgpu_promises() {
    for (source, name) in sources().into_iter().chain(sources_of(calls_in_f16())) {
        let bindings =
            reflect::bindings(&name, &source).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut names: Vec<_> = bindings.iter().map(|binding| binding.name.as_str()).collect();
        assert!(names.contains(&"call") && names.contains(&"state"), "{name}: {names:?}");
        // A fused step is planned only where the adapter binds more than WebGPU promises.
        let fused = ["update ", "partial_gradients "].iter().any(|kernel| name.starts_with(kernel));
        let most = if fused { 13 } else { 8 };
        // Plans of f16 run only where one more is allowed.
        let most = most + usize::from(name.contains(" scaled"));
        assert!(bindings.len() <= most + 1, "{name} binds {} of {most}", bindings.len() - 1);
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{name}: {names:?}");

        let (module, _) = validate(&source).expect("checked elsewhere");
        let [entry] = &module.entry_points[..] else { panic!("{name}: one entry point") };
        let invocations: u32 = entry.workgroup_size.iter().product();
        assert!(invocations <= 256, "{name}: {invocations} invocations");
        let shared: u32 = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
            .filter_map(|(_, variable)| module.types[variable.ty].inner.try_size(module.to_ctx()))
            .sum();
        assert!(shared <= 16384, "{name}: {shared} bytes of workgroup memory");
    }
}

/// (name, offset, bytes) of each member.
type Layout = Vec<(String, usize, usize)>;

macro_rules! layout {
    ($row:ty { $($member:ident),* $(,)? }) => {{
        fn bytes<S, T>(_: fn(&S) -> &T) -> usize { size_of::<T>() }
        // Names every member, so that a forgotten one does not compile.
        #[allow(dead_code)]
        fn complete(row: $row) {
            type Row = $row;
            let Row { $($member: _),* } = row;
        }
        let members: Layout = vec![$((
            stringify!($member).to_owned(),
            offset_of!($row, $member),
            bytes(|row: &$row| &row.$member),
        )),*];
        (members, size_of::<$row>())
    }};
}

/// The members and the span of a struct of a source.
fn reflected(source: &str, name: &str) -> (Layout, usize) {
    let (module, _) = validate(source).expect("checked elsewhere");
    let (_, ty) = module
        .types
        .iter()
        .find(|(_, ty)| ty.name.as_deref() == Some(name))
        .unwrap_or_else(|| panic!("no struct {name}"));
    let naga::TypeInner::Struct { members, span } = &ty.inner else { panic!("{name}: a struct") };
    let members = members
        .iter()
        .map(|member| {
            let bytes = module.types[member.ty].inner.try_size(module.to_ctx());
            let name = member.name.clone().unwrap_or_default();
            (name, member.offset as usize, bytes.expect("a size") as usize)
        })
        .collect();
    (members, *span as usize)
}

fn source_of(kernel: Kernel) -> String {
    source_among(calls(), kernel)
}

fn source_among(calls: Vec<(String, Call)>, kernel: Kernel) -> String {
    let (_, call) = calls.into_iter().find(|(_, call)| call.kernel == kernel).expect("a call");
    compose(&call, Tile::NAIVE)
}

#[test]
fn host_structs_match_the_shaders() {
    for kernel in Kernel::ALL {
        let uniform = Parameters::zeroed(*kernel);
        let size = uniform.bytes().len();
        let ends = uniform.members().iter().skip(1).map(|(_, at)| *at).chain([size]);
        let members = uniform.members().iter().zip(ends);
        let members: Layout =
            members.map(|((name, at), end)| ((*name).to_owned(), *at, end - at)).collect();
        let host = (members, size);
        let name = kernel.uniform();
        assert_eq!(host, reflected(&source_of(*kernel), name), "{name}");
        assert_eq!(host.1 % 16, 0, "{name} is bound in whole groups of 16 bytes");
    }
    let column =
        layout!(EmbeddedColumn { column, input, categories, size, offset, spare0, spare1, spare2 });
    let rows = [
        (Kernel::Embedding, "EmbeddedColumn", column.clone()),
        (Kernel::EmbeddingGradient, "EmbeddedColumn", column),
        (
            Kernel::Update,
            "UpdatedLayer",
            layout!(UpdatedLayer {
                inputs,
                units,
                weight_offset,
                bias_offset,
                input_offset,
                delta_offset,
                place,
                rows,
            }),
        ),
        (
            Kernel::LayerOutput,
            "LayerSettings",
            layout!(LayerSettings {
                drop_below,
                keep_scale,
                keep_offset,
                dropped,
                key0,
                key1,
                noise,
                spare,
            }),
        ),
        (
            Kernel::DenseForward,
            "MemberState",
            layout!(MemberState { cursor, bad_step, bad_element, backward }),
        ),
        (
            Kernel::FinishStep,
            "AtomicMemberState",
            layout!(MemberState { cursor, bad_step, bad_element, backward }),
        ),
        (
            Kernel::Loss,
            "StepSettings",
            layout!(StepSettings<f32> {
                first_row, rows, position, batch, step, accumulates, updates, spare0, share,
                learning_rate, weight_decay, clip, epsilon, beta1, beta2, momentum, dampening, rho,
                average_rate, spare1, coefficients, loss,
            }),
        ),
    ];
    let host = layout!(LossScale { scale, backward, overflowed, steps });
    let source = source_among(calls_in_f16(), Kernel::AverageParameters);
    assert_eq!(host, reflected(&source, "LossScale"));
    for (kernel, name, host) in rows {
        assert_eq!(host, reflected(&source_of(kernel), name), "{name}");
        assert_eq!(host.1 % 16, 0, "{name} is bound in whole groups of 16 bytes");
    }
}

fn shaders() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders")
}

/// Text of each WGSL file of a folder, by its name without the ending.
fn files(folder: &Path) -> BTreeMap<String, String> {
    std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "wgsl"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("a text"))
        })
        .collect()
}

#[test]
fn catalog_and_folders_agree() {
    let rows = |rows: Vec<(&str, &str)>| -> BTreeMap<String, String> {
        rows.into_iter().map(|(name, wgsl)| (name.to_owned(), wgsl.to_owned())).collect()
    };
    let folders = [
        ("activations", rows(ACTIVATIONS.iter().map(|row| (row.name, row.wgsl)).collect())),
        ("row_activations", rows(ROW_ACTIVATIONS.iter().map(|row| (row.name, row.wgsl)).collect())),
        ("normalizations", rows(NORMALIZATIONS.iter().map(|row| (row.name, row.wgsl)).collect())),
        ("losses", rows(LOSSES.iter().map(|row| (row.name, row.wgsl)).collect())),
        ("metrics", rows(TERMS.iter().map(|row| (row.name, row.wgsl)).collect())),
    ];
    for (folder, rows) in folders {
        assert!(!rows.is_empty(), "{folder}");
        assert_eq!(files(&shaders().join(folder)), rows, "{folder}");
    }
    // AdamW shares Adam's file, and Muon for what it leaves to AdamW.
    let optimizers = files(&shaders().join("optimizers"));
    for row in &OPTIMIZERS {
        let file = if ["adamw", "muon"].contains(&row.name) { "adam" } else { row.name };
        assert_eq!(optimizers.get(file).map(String::as_str), Some(row.wgsl), "{}", row.name);
    }
    for (name, text) in optimizers {
        assert!(OPTIMIZERS.iter().any(|row| row.wgsl == text), "{name} has no row");
    }
}

#[test]
fn every_file_is_part_of_a_kernel() {
    let mut sources = sources();
    sources.extend(sources_of(calls_in_f16()));
    let mut seen = 0;
    let mut folders = vec![shaders()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a text");
            assert!(sources.keys().any(|source| source.contains(&text)), "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} files were found");
}
