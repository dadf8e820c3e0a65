//! Every tile of a matrix product, of scalars and of quads, against the f64 reference.

use wgfit::backend::gpu::Tile;
use wgfit::backend::gpu::tile::{self, Grouped, Kind, Product};
use wgfit::kernels::Kernel;
use wgfit::program::Call;

use super::oracle::{Case, Scene, hold};
use super::{adapter, gpu_with};

/// A scene of nothing but the matrix products of a network.
fn scene(rows: usize, widths: &[usize], members: usize) -> Scene {
    let [inputs, hidden @ .., outputs] = widths else { panic!("a network has two widths") };
    let mut scene = Scene::new(&Case {
        rows,
        inputs: *inputs,
        hidden: hidden.to_vec(),
        outputs: *outputs,
        members,
        activation: "linear",
        ..Case::default()
    });
    scene.plan.programs[0].calls.retain(|call| call.kernel.is_matmul());
    scene
}

/// Widths about the tiles' own and far from them, of which none, all, or some are made of quads.
fn scenes() -> Vec<Scene> {
    vec![
        scene(67, &[17, 65, 3, 127, 1, 31], 2),
        scene(70, &[12, 64, 4, 132, 68, 8], 1),
        scene(1, &[36, 5, 128, 1], 2),
        // More rows of tiles than a band has, and a band that is not whole.
        scene(1100, &[100, 33, 140, 10], 1),
        scene(7, &[785, 3], 1),
    ]
}

fn products(scenes: &[Scene]) -> impl Iterator<Item = Product> {
    scenes.iter().flat_map(|scene| &scene.plan.programs[0].calls).filter_map(Product::of)
}

/// Updates of one layer, ragged, of quads, and of so few inputs that direct tiles are turned: each
/// place has the same text. Then their like that makes the gradients of each part of a batch. Of both,
/// one has more rows of tiles than a band. With each goes whether tiles of every class meet it.
fn updates() -> Vec<(Scene, bool)> {
    let update = |rows, inputs, outputs, any| {
        let case = Case { rows, inputs, outputs, hidden: Vec::new(), ..Case::default() };
        let mut scene = Scene::new(&Case { fused: true, split: true, members: 2, ..case });
        scene.plan.programs[0].calls.retain(|call| call.kernel.is_grouped());
        let split = scene.plan.programs[0].calls[0].kernel == Kernel::PartialGradients;
        assert_eq!(split, rows > 2000);
        (scene, any)
    };
    vec![
        update(67, 131, 65, true),
        update(21, 140, 1100, false),
        update(19, 13, 70, true),
        update(2050, 67, 33, false),
        update(2052, 36, 268, false),
    ]
}

/// All scenes as shaders are, and checked the first two, one of scalars, one of quads, one that is
/// turned, and the one whose batch is split and ragged. What no adapter of a tile's class is given is
/// left out: a driver compiles for most of the time.
fn hold_all(tile: Tile) {
    let of_tile = |checked| gpu_with(Some(tile), checked);
    let (unchecked, checked) = (of_tile(false), of_tile(true));
    let of_software = matches!(tile.kind, Kind::Direct { .. });
    let scenes = scenes().into_iter().map(|scene| (scene, true));
    for (index, (scene, any)) in scenes.chain(updates()).enumerate() {
        if of_software && !any {
            continue;
        }
        hold(unchecked.as_ref(), &scene, &|_: &Call| true);
        if [0, 1, 7, 8].contains(&index) {
            hold(checked.as_ref(), &scene, &|_: &Call| true);
        }
    }
}

macro_rules! each_quarter {
    ($($name:ident: $part:expr;)*) => {
        $(
            #[test]
            fn $name() {
                let fitting: Vec<Tile> =
                    tile::all().into_iter().filter(|tile| tile.fits(&adapter().facts)).collect();
                assert!(fitting.len() >= 12, "only {fitting:?}");
                fitting.into_iter().skip($part).step_by(4).for_each(hold_all);
            }
        )*
    };
}

// Tests run side by side, tiles one after the other: the driver compiles for most of the time.
each_quarter! {
    every_tile_is_right: 0;
    every_tile_is_right_1: 1;
    every_tile_is_right_2: 2;
    every_tile_is_right_3: 3;
}

#[test]
fn the_scenes_have_every_form_of_every_product() {
    let scenes = scenes();
    for kernel in [Kernel::DenseForward, Kernel::InputGradient, Kernel::WeightGradient] {
        for a in [false, true] {
            for b in [false, true] {
                let found = products(&scenes)
                    .any(|p| p.kernel == kernel && p.a.quads == a && p.b.quads == b);
                // Both lie along the same inputs in a forward pass.
                assert_eq!(found, a == b || kernel != Kernel::DenseForward, "{kernel:?} {a} {b}");
            }
        }
    }
    assert!(products(&scenes).any(|p| p.rows % 4 != 0));
    assert!(products(&scenes).any(|p| p.depth % 4 != 0 && p.a.quads && p.b.quads));
}

/// Those that the adapter has are among the tiles above, and held to the reference there.
#[test]
fn cooperative_tiles_fit_exactly_where_the_adapter_has_their_fragments() {
    let facts = &adapter().facts;
    let has_fragments = facts.cooperative_matrices.contains(&tile::FRAGMENT);
    if facts.features.contains(&"cooperative_matrix") {
        assert!(has_fragments, "{facts:?}");
    }
    let subgroup = facts.fixed_subgroup.filter(|size| tile::SUBGROUPS.contains(size));
    let offered = subgroup.filter(|_| facts.features.contains(&"cooperative_matrix"));
    let fitting: Vec<Tile> = tile::all()
        .into_iter()
        .filter(|tile| tile.to_string().starts_with("cooperative_") && tile.fits(facts))
        .collect();
    let wanted = offered.map_or_else(Vec::new, tile::cooperative_candidates);
    assert_eq!(fitting, wanted, "{facts:?}");
    println!("{}: held to the reference: {fitting:?}", adapter().description.driver);
}

#[test]
fn updates_are_turned_and_not() {
    let turned = |tile: Tile| {
        let of_scene = |scene: &Scene| {
            let call = &scene.plan.programs[0].calls[0];
            Grouped::of(&call.parameters).expect("a grouped call").turns(tile)
        };
        updates().iter().map(|(scene, _)| of_scene(scene)).collect::<Vec<_>>()
    };
    let direct = turned(Tile::direct(16, 4, 8, 8));
    assert!(direct.contains(&true) && direct.contains(&false), "{direct:?}");
    assert!(!turned(Tile::shared([64, 64, 16], [4, 4])).contains(&true));
}

#[test]
fn names_tell_tiles_apart() {
    let mut names: Vec<String> = tile::all().iter().map(Tile::to_string).collect();
    assert_eq!(names[0], "naive");
    for name in [
        "direct_16x4_8_round8",
        "direct_8x4_16",
        "shared_128x128x8_8x8",
        "cooperative_64x64x16_subgroup32",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
}
