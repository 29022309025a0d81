"""The words of chest radiology beyond the phantom's findings: concepts, how reports name them, and their types.

A *phrase* stands word by word. A *frame* is a property and the thing it is said of, near each other in one clause
and in either order: "enlarged heart", "the heart is mildly enlarged", "enlargement of the cardiac silhouette".
All words are in the singular. Concepts of the phantom keep its names.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.contracts import EntityType
from models.findings.words import bag, key

_TABLE: dict[EntityType, str] = {
    EntityType.ABNORMALITY: """
pleural effusion: pleural effusion, effusion, pleural fluid, pleural collection, hydrothorax, hemothorax, empyema
pericardial effusion: pericardial effusion, pericardial fluid
consolidation: consolidation, consolidative opacity, consolidative change, airspace consolidation
airspace opacity: airspace disease, air space disease, airspace opacity, air space opacity, airspace opacification, \
air space opacification, airspace process, air space process, airspace infiltrate, alveolar opacity, \
alveolar infiltrate, alveolar process, patchy opacity, patchy opacification, patchy airspace opacity, \
parenchymal opacity, parenchymal infiltrate, confluent opacity, patchy infiltrate
infiltrate: infiltrate, pulmonary infiltrate, infiltration, interstitial infiltrate
ground-glass opacity: ground glass opacity, groundglass opacity, ground glass, ground glass opacification, hazy opacity
lung opacity: pulmonary opacity, lung opacity, focal opacity, diffuse opacity
opacity: opacity, opacification, density, increased density
atelectasis: atelectasis, atelectatic, atelectatic change, lobar collapse, lung collapse, collapsed lung, \
subsegmental collapse, basilar collapse, lower lobe collapse, upper lobe collapse, middle lobe collapse
volume loss: volume loss
lung nodule: nodule, lung nodule, pulmonary nodule, nodular opacity, nodular density, nodular lesion, coin lesion, \
nodularity, micronodule
lung mass: mass, lung mass, pulmonary mass, mass like opacity, masslike opacity, mass lesion, masslike lesion
lung lesion: lung lesion, pulmonary lesion, parenchymal lesion, cavitary lesion, cavitation, lesion
cavity: cavity
calcified granuloma: calcified granuloma, calcified nodule, granuloma, granulomata, granulomatous calcification, \
calcified lymph node, calcified hilar lymph node, granulomatous disease, \
granulomatous infection, old granulomatous disease
lymphadenopathy: lymphadenopathy, adenopathy, enlarged lymph node, mediastinal lymphadenopathy
hilar enlargement: hilar enlargement, hilar prominence, hilar fullness, hilar lymphadenopathy, hilar adenopathy, \
bulky hilum, hilar mass
widened mediastinum: widened mediastinum, mediastinal widening, mediastinal enlargement, enlarged cardiomediastinum
hemidiaphragm elevation: elevated hemidiaphragm, elevated diaphragm, diaphragmatic elevation, eventration, \
diaphragm elevation, hemidiaphragm elevation
pleural thickening: pleural thickening, thickened pleura, pleural scarring, apical thickening, apical capping, \
apical cap, pleural plaque
pleural calcification: pleural calcification, calcified pleura, calcified pleural plaque
costophrenic blunting: costophrenic blunting, blunted costophrenic angle
interstitial markings: interstitial marking, interstitial prominence, interstitial thickening, interstitial opacity, \
septal line, kerley b line, kerley line, septal thickening, interstitial change, reticulonodular opacity
scarring: scar, scarring, fibrotic scar, parenchymal scarring, scar tissue
hyperinflation: hyperinflation, hyperinflated, hyperexpansion, hyperexpanded, overinflation, overexpanded, \
hyperaeration, hyperlucency, hyperlucent, flattened diaphragm, overinflated, hyperaerated
low lung volumes: hypoinflation, hypoinflated, hypoventilation, hypoventilated, hypoaeration, hypoexpansion, \
low lung volume, poor inspiration, shallow inspiration, poor inspiratory effort, hypoventilatory change
vascular congestion: vascular congestion, congestion, venous congestion, pulmonary vascular congestion, \
vascular engorgement, vascular redistribution, vascular prominence, cephalization, pulmonary venous hypertension, \
pulmonary venous congestion, vascular plethora
peribronchial cuffing: peribronchial cuffing, bronchial cuffing, peribronchial thickening
bronchial wall thickening: bronchial wall thickening, bronchial thickening, airway thickening
tortuous aorta: tortuous aorta, aortic tortuosity, ectatic aorta, aortic ectasia, uncoiled aorta, unfolded aorta
aortic calcification: aortic calcification, calcified aorta, aortic atherosclerosis, atherosclerotic aorta, \
atherosclerotic calcification, vascular calcification
aortic aneurysm: aortic aneurysm, aneurysm, aneurysmal dilatation
tracheal deviation: tracheal deviation, tracheal shift
mediastinal shift: mediastinal shift, shift of the mediastinum, midline shift
pulmonary artery enlargement: enlarged pulmonary artery, pulmonary artery enlargement, prominent pulmonary artery
air-fluid level: air fluid level
bulla: bulla, bleb, bullous disease, bullous change, pneumatocele
calcification: calcification, calcified density
subcutaneous emphysema: subcutaneous emphysema, subcutaneous air, subcutaneous gas, soft tissue emphysema
pneumomediastinum: pneumomediastinum, mediastinal air, pneumopericardium
pneumoperitoneum: pneumoperitoneum, free air, free intraperitoneal air, intraperitoneal air, \
subdiaphragmatic free air, free subdiaphragmatic air
rib fracture: rib fracture, fractured rib, rib deformity
fracture: fracture, compression fracture, compression deformity, wedge deformity, vertebral body compression
osteophyte: osteophyte, osteophytosis, spurring
degenerative change: degenerative change, degenerative disease, degenerative disc disease, degenerative spurring, \
spondylosis, arthritic change, degenerative arthritic change, degenerative endplate change
kyphosis: kyphosis, kyphotic
osteopenia: osteopenia, osteopenic, demineralization, demineralized
bone lesion: lytic lesion, sclerotic lesion, osseous lesion, bone lesion, blastic lesion
deformity: deformity
pectus excavatum: pectus excavatum
foreign body: foreign body, metallic fragment, bullet fragment, shrapnel
bronchiectasis: bronchiectasis, bronchiectatic
""",
    EntityType.DISEASE: """
pneumothorax: pneumothorax, ptx, hydropneumothorax
pneumonia: pneumonia, pneumonic infiltrate, pneumonic consolidation, bronchopneumonia, infectious process, \
infection, aspiration pneumonia, pneumonic process, infectious infiltrate
pneumonitis: pneumonitis
aspiration: aspiration
cardiomegaly: cardiomegaly, cardiac enlargement, enlarged heart, heart enlargement, cardiac hypertrophy
pulmonary edema: pulmonary edema, edema, oedema, interstitial edema, alveolar edema, pulmonary oedema
heart failure: heart failure, congestive heart failure, chf, cardiac decompensation, congestive failure
emphysema: emphysema, emphysematous, emphysematous change, emphysematous disease
copd: copd, chronic obstructive pulmonary disease, obstructive lung disease, chronic obstructive lung disease
pulmonary fibrosis: fibrosis, pulmonary fibrosis, interstitial fibrosis, fibrotic change, fibrotic lung disease, \
reticular opacity, reticular pattern, reticular marking, honeycombing
interstitial lung disease: interstitial lung disease, interstitial disease
scoliosis: scoliosis, dextroscoliosis, levoscoliosis, scoliotic, spinal curvature, scoliotic curvature
hiatal hernia: hiatal hernia, hiatus hernia, paraesophageal hernia, gastric hernia
diaphragmatic hernia: diaphragmatic hernia, morgagni hernia, bochdalek hernia
malignancy: malignancy, neoplasm, carcinoma, cancer, tumor, lymphoma, neoplastic process
metastasis: metastasis, metastatic disease, metastatic lesion
tuberculosis: tuberculosis, tb
sarcoidosis: sarcoidosis, sarcoid
asthma: asthma, reactive airway disease
bronchitis: bronchitis
pulmonary embolism: pulmonary embolism, pulmonary embolus
pulmonary hypertension: pulmonary hypertension, pulmonary arterial hypertension
ards: ards, acute respiratory distress syndrome
atherosclerosis: atherosclerosis, atherosclerotic disease, atherosclerotic change
arthritis: arthritis, osteoarthritis, arthropathy
trauma: trauma, contusion
""",
    EntityType.NON_ABNORMALITY: """
pacemaker: pacemaker, pacer, pacing lead, pacing wire, pacemaker lead, pacemaker wire, aicd, icd, defibrillator, \
cardiac device, pacing device, pacer lead, pacer wire
endotracheal tube: endotracheal tube, et tube, ett, tracheal tube, endotracheal intubation
enteric tube: enteric tube, nasogastric tube, ng tube, orogastric tube, og tube, dobhoff tube, feeding tube, \
gastric tube, dobbhoff tube, nasoenteric tube, ngt, dobhoff, dobbhoff, nasogastric feeding tube, \
nasogastric drainage tube, enteric drainage tube, nasogastric catheter, enteric catheter
central venous catheter: central venous catheter, central line, central venous line, central catheter, cvc, picc, \
picc line, subclavian line, subclavian catheter, internal jugular line, internal jugular catheter, ij line, \
ij catheter, jugular line, jugular catheter, hickman catheter, port a cath, portacath, mediport, port catheter, \
dialysis catheter, swan ganz catheter, pulmonary artery catheter, hemodialysis catheter, chest port, venous catheter, \
port, swan ganz, infusion port, infusaport
tracheostomy tube: tracheostomy tube, tracheostomy, trach tube, tracheostomy cannula
chest tube: chest tube, pleural tube, pleural drain, chest drain, pigtail catheter, pleurx catheter, \
thoracostomy tube, pigtail pleural catheter
sternotomy wire: sternotomy wire, sternal wire, median sternotomy, sternotomy
surgical clip: surgical clip, clip, surgical staple, suture
prosthetic valve: prosthetic valve, valve replacement, valve prosthesis, mitral valve replacement, \
aortic valve replacement, cardiac valve
stent: stent
aortic balloon pump: balloon pump, iabp, intraaortic balloon pump, aortic balloon pump
spinal hardware: spinal hardware, spinal fusion, fusion hardware, rod, orthopedic hardware
""",
}
DEVICES = EntityType.NON_ABNORMALITY


@dataclass(frozen=True, slots=True)
class Frame:
    """A concept said by a property of a thing; `denies` where the property is the normal one."""

    concept: str
    type: EntityType
    properties: frozenset[str]
    things: tuple[tuple[str, ...], ...]
    denies: bool = False


def _frame(concept: str, kind: EntityType, properties: str, things: str, denies: bool = False) -> Frame:
    named = tuple(tuple(thing.split()) for thing in things.split(", "))
    return Frame(concept, kind, bag(properties), named, denies)


_A, _D = EntityType.ABNORMALITY, EntityType.DISEASE
_HEART = "heart, heart size, cardiac silhouette, cardiac size, cardiac contour, cardiac shadow, cardiac, "
_HEART += "cardiomediastinal silhouette, cardiopericardial silhouette"
_NORMAL = "normal unremarkable nondilated"
FRAMES: tuple[Frame, ...] = (
    _frame("cardiomegaly", _D, "enlarged enlargement prominent dilated large borderline increased prominence", _HEART),
    _frame("cardiomegaly", _D, _NORMAL, _HEART, True),
    _frame("hilar enlargement", _A, "enlarged enlargement prominent prominence fullness full bulky", "hilum, hilar"),
    _frame("widened mediastinum", _A, "widened widening wide enlarged enlargement prominent prominence",
           "mediastinum, mediastinal, mediastinal silhouette"),
    _frame("widened mediastinum", _A, _NORMAL, "mediastinum, mediastinal contour, mediastinal silhouette", True),
    _frame("hemidiaphragm elevation", _A, "elevated elevation raised", "hemidiaphragm, diaphragm"),
    _frame("vascular congestion", _A,
           "congestion congested engorged engorgement redistribution cephalization prominent prominence indistinct "
           "cephalized distended",
           "vascularity, vasculature, pulmonary vessel, vessel, vascular, pulmonary vascular marking, pulmonary vein"),
    _frame("vascular congestion", _A, _NORMAL, "vascularity, vasculature", True),
    _frame("hyperinflation", _A, "flattened flattening flat", "diaphragm, hemidiaphragm"),
    _frame("hyperinflation", _A, "large increased high", "lung volume"),
    _frame("low lung volumes", _A, "low decreased diminished reduced small lower", "lung volume, volume"),
    _frame("tortuous aorta", _A, "tortuous tortuosity ectatic ectasia unfolded uncoiled elongated",
           "aorta, aortic, aortic arch"),
    _frame("aortic calcification", _A, "calcified calcification atherosclerotic atherosclerosis atheromatous",
           "aorta, aortic, aortic arch, aortic knob"),
    _frame("costophrenic blunting", _A, "blunted blunting", "costophrenic, angle, sulcus, cp angle"),
    _frame("interstitial markings", _A,
           "increased prominent coarse coarsened thickened prominence thickening increase coarsening",
           "interstitial, interstitial marking, lung marking, interstitium, bronchovascular marking"),
    _frame("atelectasis", _A, "collapse collapsed", "lung, lobe"),
    _frame("tracheal deviation", _A, "deviated deviation shift displaced displacement shifted", "trachea, tracheal"),
    _frame("mediastinal shift", _A, "shift shifted displaced", "mediastinum, mediastinal"),
    _frame("pleural thickening", _A, "thickening thickened", "pleura, pleural, apical"),
    _frame("pulmonary artery enlargement", _A, "enlarged enlargement prominent prominence dilated",
           "pulmonary artery, pulmonary trunk, pulmonary arterial"),
    _frame("airspace opacity", _A, "patchy confluent airspace alveolar parenchymal", "opacity, opacification"),
    _frame("lung opacity", _A, "lung pulmonary parenchymal focal diffuse", "opacity, opacification"),
    _frame("fracture", _A, "loss wedging", "vertebral body height, vertebral body, vertebral height"),
)  # fmt: skip
"""Frames in which a property may stand apart from its thing."""
DESCRIPTORS = bag(
    """
    acute airspace aspiration band basal basilar bibasilar calcified cavitary chronic coarse confluent dense
    diffuse discoid displaced focal generalised generalized ground healed healing hazy ill defined
    interstitial irregular layering like linear lobar loculated lobulated miliary minimally multifocal
    multiple noncalcified nondisplaced old partial patchy perihilar plate platelike remote residual reticular
    retrocardiac rounded scattered segmental spiculated streaky subpleural subpulmonic subsegmental tension
    vague compression compressive passive
    """
)
"""Words before a concept that make a term of its own ("streaky atelectasis"), unlike side, zone and severity."""


def phrases() -> dict[tuple[str, ...], tuple[str, EntityType]]:
    """Every phrase, as its words, with its concept and type."""
    table: dict[tuple[str, ...], tuple[str, EntityType]] = {}
    for kind, text in _TABLE.items():
        for line in text.strip().splitlines():
            concept, _, names = line.partition(":")
            for name in names.split(","):
                table.setdefault(key(name), (concept, kind))
    return table


TYPES: dict[str, EntityType] = dict(phrases().values())
"""Concept to its type when present."""
