//! Every tile of a matrix product, of scalars and of quads, against the f64 reference.

use wgfit::backend::gpu::Tile;
use wgfit::backend::gpu::tile::{self, Grouped, Kind, Product};
use wgfit::kernels::Kernel;
use wgfit::verify::Held;
use wgfit::verify::scenes::{products_of_tiles, updates_of_tiles};

use super::scenarios::hold;
use super::{adapter, gpu_with};

fn products(held: &[Held]) -> impl Iterator<Item = Product> {
    let calls = held.iter().flat_map(|held| &held.scene.plan.programs[0].calls);
    calls.filter(|call| call.kernel.is_matmul()).filter_map(Product::of)
}

/// Scenes as shaders are, and checked one of ragged products, one update that is turned and one whose
/// batch is split and ragged. A driver compiles for most of the time, so of the further products, which
/// differ in sizes alone, each tile takes one, the `number`th's: every kind of tile meets all of them. What
/// no adapter of a direct tile's class is given is left out. `wgfit verify` leaves nothing out.
fn hold_tile((number, tile): (usize, Tile)) {
    let of_tile = |checked| gpu_with(Some(tile), checked);
    let (unchecked, checked) = (of_tile(false), of_tile(true));
    let of_software = matches!(tile.kind, Kind::Direct { .. });
    let products = products_of_tiles().unwrap();
    let further = 2 + number % (products.len() - 2);
    let any = [0, 1, further];
    let updates = updates_of_tiles().unwrap().into_iter().enumerate();
    let updates = updates.filter(|(index, _)| !of_software || [0, 2].contains(index));
    let both = |Held { scene, which }: &Held, checks: bool| {
        hold(unchecked.as_ref(), scene, which);
        if checks {
            hold(checked.as_ref(), scene, which);
        }
    };
    for (index, held) in products.iter().enumerate().filter(|(index, _)| any.contains(index)) {
        both(held, index == 0);
    }
    for (index, held) in updates {
        both(&held, [2, 3].contains(&index));
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
                fitting.into_iter().enumerate().skip($part).step_by(4).for_each(hold_tile);
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
    let scenes = products_of_tiles().unwrap();
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
fn updates_are_split_and_not() {
    let is_split = |held: &Held| {
        let calls = &held.scene.plan.programs[0].calls;
        calls.iter().any(|call| call.kernel == Kernel::PartialGradients)
    };
    let split: Vec<bool> = updates_of_tiles().unwrap().iter().map(is_split).collect();
    assert_eq!(split, [false, false, false, false, false, true, true]);
}

#[test]
fn updates_are_turned_and_not() {
    let turned = |tile: Tile| {
        let of_scene = |held: &Held| {
            let calls = &held.scene.plan.programs[0].calls;
            let grouped = calls.iter().find_map(|call| Grouped::of(&call.parameters));
            grouped.expect("a grouped call").turns(tile)
        };
        updates_of_tiles().unwrap().iter().map(of_scene).collect::<Vec<_>>()
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
        "direct_16x4_4_round4",
        "direct_16x4_8_round8_pairs",
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
