"""Hand-written material of the labelled fusions: what a page said, what a model saw, and what may be made of both."""

from __future__ import annotations

from typing import NamedTuple


class Material(NamedTuple):
    alt: str
    synthetic: str
    good: tuple[str, ...]
    lost: tuple[str, ...]
    """Names, numbers or most words of the web text are gone."""
    invented: tuple[str, ...]
    """A name or number of neither text is there."""
    flipped: tuple[str, ...] = ()
    """In a language of neither text."""


MATERIAL = (
    # Products, with prices, units and model numbers
    Material(
        "Canon EOS 80D DSLR Camera with 18-55mm Lens - $1,099.00",
        "a picture of a camera, with a black strap",
        (
            "The Canon EOS 80D, a DSLR camera with an 18-55mm lens and a black strap, costs $1,099.",
            "A black strap hangs from the Canon EOS 80D DSLR camera, which comes with an 18-55 mm lens for $1,099.00.",
            "Priced at $1099, this Canon EOS 80D DSLR is sold with an 18-55mm lens and a black strap.",
        ),
        ("A camera with a black strap lies on a white background.", "A DSLR camera with a lens and a black strap."),
        (
            "The Canon EOS 80D DSLR camera with its 18-55mm lens costs $1,299.00.",
            "The Nikon alternative to the Canon EOS 80D DSLR camera with an 18-55mm lens costs $1,099.00.",
        ),
        (
            "Die Kamera Canon EOS 80D mit einem Objektiv und einem schwarzen Band kostet 1.099 Dollar und liegt auf dem Tisch.",
        ),
    ),
    Material(
        "WOMEN'S WATERPROOF HIKING BOOTS BROWN SIZE 8",
        "a pair of boots on a rock",
        (
            "A pair of women's waterproof hiking boots in brown, size 8, stands on a rock.",
            "Brown waterproof hiking boots for women in size 8, photographed on a rock.",
            "These women's hiking boots are brown and waterproof, come in size 8 and rest on a rock.",
        ),
        ("A pair of boots stands on a large rock.",),
        (
            "Brown Timberland women's waterproof hiking boots in size 8 stand on a rock.",
            "A pair of women's waterproof hiking boots in brown, size 42, stands on a rock.",
        ),
    ),
    Material(
        "Dyson V11 Torque Drive cordless vacuum cleaner, 60 min runtime",
        "a vacuum cleaner in a living room",
        (
            "The Dyson V11 Torque Drive is a cordless vacuum cleaner that runs for 60 minutes, shown in a living room.",
            "In a living room stands a Dyson V11 Torque Drive cordless vacuum cleaner with sixty minutes of runtime.",
            "A cordless Dyson V11 Torque Drive vacuum cleaner with a 60-minute runtime is used in a living room.",
        ),
        ("A cordless vacuum cleaner stands in a living room.",),
        (
            "The Dyson V15 Torque Drive is a cordless vacuum cleaner with 60 min of runtime.",
            "The Dyson V11 Torque Drive cordless vacuum cleaner runs for 60 min and cleans 120 square meters.",
        ),
    ),
    Material(
        "Chanel No. 5 Eau de Parfum 100ml",
        "a bottle of perfume on a mirror",
        (
            "No. 5 by Chanel, an eau de parfum in a 100 ml bottle, stands on a mirror.",
            "A 100ml bottle of Chanel No. 5 Eau de Parfum is reflected in a mirror.",
            "Chanel's perfume No. 5, here as a 100 ml bottle of eau de parfum, stands on a mirror.",
        ),
        ("A bottle of perfume stands on a mirror.",),
        (
            "A 50 ml bottle of Chanel No. 5 Eau de Parfum stands on a mirror.",
            "Chanel No. 5 Eau de Parfum by Ernest Beaux, 100ml, stands on a mirror.",
        ),
    ),
    Material(
        "4x4 off-road vehicle Toyota Land Cruiser J70 in the desert",
        "a white truck driving on sand",
        (
            "A white Toyota Land Cruiser J70, a 4x4 off-road vehicle, drives over the sand of a desert.",
            "The Toyota Land Cruiser J70 is a 4x4 off-road vehicle that crosses desert sand.",
            "Sand flies as a white Toyota Land Cruiser J70 4x4 drives through the desert.",
        ),
        ("A white truck is driving on the sand.",),
        ("A white Toyota Land Cruiser J80, a 4x4 off-road vehicle, drives through the Sahara desert.",),
    ),
    Material(
        "Set of 6 porcelain tea cups, hand-painted, Royal Copenhagen",
        "a group of cups and saucers on a table",
        (
            "Six hand-painted porcelain tea cups by Royal Copenhagen stand with their saucers on a table.",
            "A set of six porcelain tea cups from Royal Copenhagen, painted by hand, is arranged on a table.",
            "This set of 6 tea cups in hand-painted Royal Copenhagen porcelain includes saucers.",
        ),
        ("A group of cups and saucers on a table.", "A set of hand-painted cups with saucers stands on a table."),
        (
            "A set of eight porcelain tea cups, hand-painted by Royal Copenhagen, on a table.",
            "A set of 6 porcelain tea cups by Royal Copenhagen, hand-painted in 1888, stands on a table.",
        ),
    ),
    Material(
        "iPhone 12 Pro Max silicone case - navy blue",
        "a blue phone case on a white background",
        (
            "A navy blue silicone case for the iPhone 12 Pro Max on a white background.",
            "This silicone case in navy blue fits the iPhone 12 Pro Max.",
            "The iPhone 12 Pro Max silicone case is navy blue and shown against a white background.",
        ),
        ("A blue phone case on a white background.",),
        ("A navy blue silicone case for the iPhone 13 Pro Max on a white background.",),
    ),
    Material(
        "3D printer filament PLA 1.75 mm 1kg spool red",
        "a red spool of plastic",
        (
            "A red 1 kg spool of PLA filament for 3D printers with a diameter of 1.75 mm.",
            "Red PLA filament, 1.75 mm thick, for a 3D printer is wound on a spool of 1kg.",
            "The spool holds 1 kg of red PLA 3D printer filament that is 1.75 mm wide.",
        ),
        ("A red spool of plastic lies on a table.",),
        ("A red 1 kg spool of PLA filament for 3D printers with a diameter of 2.85 mm.",),
    ),
    # Places
    Material(
        "Neuschwanstein Castle, Bavaria, Germany in autumn",
        "a castle on a hill with trees",
        (
            "Neuschwanstein Castle stands on a hill among autumn trees in Bavaria, Germany.",
            "In autumn, trees surround the hill of Neuschwanstein, a castle in Bavaria, Germany.",
            "The Bavarian castle of Neuschwanstein in Germany rises on a hill above colorful autumn trees.",
        ),
        ("A castle stands on a hill with trees in autumn.",),
        (
            "Neuschwanstein Castle in Bavaria, Germany, was built for Ludwig on a hill with autumn trees.",
            "Neuschwanstein Castle, Bavaria, Germany, stands 965 meters high on a hill in autumn.",
        ),
        ("Le château de Neuschwanstein se dresse sur une colline avec des arbres en automne dans le sud.",),
    ),
    Material(
        "Ponte Vecchio over the Arno river, Florence, Italy",
        "a bridge over a river with buildings",
        (
            "The Ponte Vecchio, a bridge lined with buildings, crosses the Arno river in Florence, Italy.",
            "Buildings stand on the Ponte Vecchio, an Italian bridge over the Arno in Florence.",
            "In Florence, Italy, the Ponte Vecchio bridge spans the river Arno between old buildings.",
        ),
        ("A bridge with buildings crosses a river.", "A bridge over a river in Italy with old buildings."),
        (
            "The Ponte Vecchio over the Arno river in Florence, Tuscany, was built in 1345.",
            "The Ponte Vecchio by Taddeo Gaddi crosses the Arno river in Florence, Italy.",
        ),
    ),
    Material(
        "Sunset over Santorini, Greece",
        "a sunset over the sea with white houses",
        (
            "The sun sets over the sea and the white houses of Santorini, Greece.",
            "White houses on the Greek island of Santorini glow at sunset above the sea.",
            "A sunset in Santorini, Greece, colors the sea and the white houses.",
        ),
        ("A sunset over the sea with white houses on a hill.",),
        (
            "The sun sets over the sea and the white houses of Oia in Santorini, Greece.",
            "A sunset over Mykonos and Santorini, Greece, with white houses.",
        ),
        (
            "Ein Sonnenuntergang über dem Meer und den weißen Häusern von Santorini in Griechenland.",
            "Закат над морем и белыми домами острова Санторини в Греции.",
        ),
    ),
    Material(
        "Times Square, New York City, at night with yellow cabs",
        "a city street with cars and lights",
        (
            "Yellow cabs drive through Times Square in New York City at night among bright lights.",
            "At night, Times Square in NYC is full of yellow cabs and lights.",
            "Lights and yellow cabs fill Times Square, a street in New York City, at night.",
        ),
        ("A city street at night with yellow cars and lights.",),
        (
            "Yellow cabs drive past the Marriott hotel on Times Square, New York City, at night.",
            "Times Square, New York City, at night with 13,000 yellow cabs and bright lights.",
        ),
    ),
    Material(
        "Mt. Fuji and Lake Kawaguchi, Japan",
        "a mountain with snow behind a lake",
        (
            "Snow-covered Mount Fuji rises behind Lake Kawaguchi in Japan.",
            "Mt. Fuji, a Japanese mountain with snow on top, is mirrored in Lake Kawaguchi.",
            "Behind Lake Kawaguchi in Japan stands Mt. Fuji with its snow.",
        ),
        ("A mountain with snow rises behind a lake.",),
        ("Mount Fuji rises 3,776 m behind Lake Kawaguchi in Japan.", "Mt. Fuji and Lake Kawaguchi near Hakone, Japan."),
        ("La montagne Fuji avec de la neige se trouve derrière un lac dans le centre de Honshu.",),
    ),
    Material(
        "Old lighthouse at Peggy's Cove, Nova Scotia",
        "a lighthouse on rocks by the ocean",
        (
            "The old lighthouse at Peggy's Cove in Nova Scotia stands on rocks by the ocean.",
            "Rocks by the ocean carry the old lighthouse of Peggy's Cove, Nova Scotia.",
            "At Peggy's Cove, Nova Scotia, an old lighthouse looks over the ocean from the rocks.",
        ),
        ("A lighthouse stands on rocks by the ocean.",),
        ("The old lighthouse at Peggy's Cove, Nova Scotia, Canada, was built in 1915 on rocks by the ocean.",),
    ),
    Material(
        "Baker Street station, London Underground",
        "a train station with people waiting",
        (
            "People wait at Baker Street, a station of the London Underground.",
            "Passengers are waiting in Baker Street station on the London Underground.",
            "The London Underground station Baker Street with people waiting for a train.",
        ),
        ("A train station with many people who are waiting.",),
        (
            "People wait at Baker Street station of the London Underground next to Madame Tussauds.",
            "People wait at platform 7 of Baker Street station, London Underground.",
        ),
    ),
    # People
    Material(
        "Angela Merkel speaking at the World Economic Forum 2018",
        "a woman speaking at a podium",
        (
            "Angela Merkel speaks at a podium during the World Economic Forum in 2018.",
            "At the 2018 World Economic Forum, a woman, Angela Merkel, speaks at a podium.",
            "Standing at a podium, Angela Merkel gives a speech at the World Economic Forum 2018.",
        ),
        ("A woman speaking at a podium in front of an audience.", "A woman speaks at the forum in a blue jacket."),
        (
            "Angela Merkel speaks at a podium during the World Economic Forum 2018 in Davos.",
            "Angela Merkel and Emmanuel Macron speak at the World Economic Forum 2018.",
            "Angela Merkel speaks at a podium during the World Economic Forum in 2019.",
        ),
        ("Angela Merkel habla en un podio durante el foro económico y está junto a una mesa.",),
    ),
    Material(
        "Usain Bolt celebrates after winning the 100m final in Beijing, 2008",
        "a man running on a track",
        (
            "Usain Bolt celebrates on the track after winning the 100 m final in Beijing in 2008.",
            "After his win in the 100m final of 2008 in Beijing, the runner Usain Bolt celebrates on the track.",
            "On the track in Beijing, Usain Bolt celebrates his victory in the 2008 100-meter final.",
        ),
        ("A man celebrates on a track after winning a race.",),
        (
            "Usain Bolt celebrates after winning the 100m final in Beijing in 9.69 seconds, 2008.",
            "Usain Bolt of Jamaica celebrates after winning the 200m final in Beijing, 2008.",
        ),
    ),
    Material(
        "Portrait of Marie Curie's daughter Irène Joliot-Curie, 1935",
        "a black and white photo of a woman",
        (
            "A black and white portrait from 1935 of Irène Joliot-Curie, the daughter of Marie Curie.",
            "Irène Joliot-Curie, Marie Curie's daughter, in a black and white portrait of 1935.",
            "Marie Curie's daughter, Irène Joliot-Curie, was photographed in black and white in 1935.",
        ),
        (
            "A black and white portrait of a woman with short hair.",
            "A black and white portrait of a scientist's daughter, 1935.",
        ),
        (
            "A black and white portrait of Irène Joliot-Curie, daughter of Marie Curie, in Paris, 1935.",
            "Irène Joliot-Curie, Marie Curie's daughter, with Frédéric in a portrait of 1935.",
        ),
    ),
    Material(
        "Serena Williams hits a backhand at Wimbledon",
        "a woman playing tennis on grass",
        (
            "Serena Williams plays a backhand on the grass of Wimbledon.",
            "At Wimbledon, tennis player Serena Williams hits a backhand on the grass court.",
            "A backhand by Serena Williams, who is playing tennis on grass at Wimbledon.",
        ),
        ("A woman is playing tennis on grass and hits a backhand.",),
        (
            "Serena Williams hits a backhand against Venus at Wimbledon on the grass.",
            "Serena Williams hits a backhand at Wimbledon on the way to her 23rd title.",
        ),
    ),
    Material(
        "my grandpa and me fishing at the lake",
        "a man and a child on a dock",
        (
            "A grandpa and a child are fishing from a dock at the lake.",
            "A child and his grandpa sit on a dock and fish in a lake.",
            "Grandpa and grandchild go fishing together on the dock of a lake.",
        ),
        ("Two people sit on a dock next to some boats.",),
        ("A grandpa and a child named Tommy are fishing from a dock at the lake.",),
    ),
    Material(
        "Dr. Martin Luther King Jr. at the March on Washington, August 28, 1963",
        "a man waving to a crowd",
        (
            "Dr. Martin Luther King Jr. waves to the crowd at the March on Washington on August 28, 1963.",
            "On 28 August 1963, Martin Luther King Jr. waves to a crowd during the March on Washington.",
            "Martin Luther King Jr. greets the crowd at the March on Washington on Aug. 28, 1963.",
        ),
        ("A man in a suit waves to a large crowd.", "A man waves to a crowd during a march in August."),
        (
            "Dr. Martin Luther King Jr. waves to 250,000 people at the March on Washington, August 28, 1963.",
            "Dr. Martin Luther King Jr. and Rosa Parks at the March on Washington, August 28, 1963.",
        ),
    ),
    # Events, dates, numbers
    Material(
        "12.05.2019 Marathon Hamburg – start of the race",
        "a group of people running on a street",
        (
            "Runners start the Hamburg marathon on a street on 12 May 2019.",
            "A group of people runs along a street at the start of the marathon in Hamburg on May 12, 2019.",
            "On 12.05.2019, the race of the Marathon Hamburg starts with many people running on a street.",
        ),
        ("A group of people is running on a street.", "The start of a race with a group of people."),
        (
            "A group of people at the start of the Hamburg marathon on 12 May 2018.",
            "Runners from Kenya start the race of the marathon in Hamburg on 12.05.2019.",
        ),
    ),
    Material(
        "Fans at Glastonbury Festival in the 1980s",
        "a crowd of people in a field",
        (
            "A crowd of fans fills a field at the Glastonbury Festival in the 1980s.",
            "Fans gather in a field during Glastonbury Festival in the '80s.",
            "In the 1980s, a crowd of fans stands in a field at Glastonbury Festival.",
        ),
        ("A crowd of people stands in a large field.",),
        (
            "A crowd of fans watches David Bowie at Glastonbury Festival in the 1980s.",
            "A crowd of fans fills a field at Glastonbury Festival in the 1970s.",
        ),
    ),
    Material(
        "25th anniversary of the fall of the Berlin Wall, fireworks at Brandenburg Gate",
        "fireworks over a building at night",
        (
            "Fireworks light up the Brandenburg Gate at night on the 25th anniversary of the fall of the Berlin Wall.",
            "For the twenty-fifth anniversary of the fall of the Berlin Wall, fireworks rise over the Brandenburg Gate at night.",
            "The fall of the Berlin Wall is remembered with fireworks over Brandenburg Gate on its 25th anniversary.",
        ),
        ("Fireworks light up a building at night during an anniversary.",),
        ("Fireworks over the Brandenburg Gate on the 30th anniversary of the fall of the Berlin Wall.",),
    ),
    Material(
        "Protest against school fees, Nairobi, 3 March 2016",
        "people holding signs on a street",
        (
            "People hold signs on a street in Nairobi to protest against school fees on 3 March 2016.",
            "On March 3, 2016, people with signs protest against school fees in a street of Nairobi.",
            "A protest in Nairobi on 3 March 2016: people on the street hold up signs against school fees.",
        ),
        ("People hold signs in a street during a protest.",),
        (
            "People hold signs to protest against school fees in Nairobi, Kenya, on 5 March 2016.",
            "Students of Kenyatta University protest against school fees in Nairobi on 3 March 2016.",
        ),
    ),
    Material(
        "The 2022 FIFA World Cup trophy on display",
        "a gold trophy on a table",
        (
            "The gold trophy of the 2022 FIFA World Cup is on display on a table.",
            "A golden trophy, that of the FIFA World Cup 2022, stands on a table.",
            "On a table, the FIFA World Cup trophy of 2022 is displayed in gold.",
        ),
        ("A gold trophy stands on a table.",),
        (
            "The gold trophy of the 2022 FIFA World Cup, which Argentina won, is on display on a table.",
            "The gold trophy of the 2018 FIFA World Cup is on display on a table.",
        ),
    ),
    Material(
        "Wedding of Kate and William at Westminster Abbey, April 2011",
        "a bride and a groom in a church",
        (
            "The bride and groom Kate and William marry in Westminster Abbey in April 2011.",
            "At their wedding in April 2011, Kate and William walk through Westminster Abbey.",
            "Bride Kate and groom William at their wedding in Westminster Abbey, a church, in April 2011.",
        ),
        ("A bride and a groom walk through a church.",),
        (
            "Kate and William at their wedding in Westminster Abbey with Harry in April 2011.",
            "Kate and William marry before 1,900 guests at Westminster Abbey in April 2011.",
        ),
    ),
    # Artworks
    Material(
        "Vincent van Gogh, The Starry Night, 1889, oil on canvas, 73.7 x 92.1 cm",
        "a painting of a night sky with stars",
        (
            '"The Starry Night" is an oil painting on canvas by Vincent van Gogh from 1889 that measures 73.7 x 92.1 cm.',
            "Vincent van Gogh painted The Starry Night, a night sky with stars, in oil on canvas (73.7 x 92.1 cm) in 1889.",
            "A night sky full of stars: The Starry Night, painted in 1889 by Vincent van Gogh, oil on canvas, 73.7 by 92.1 cm.",
        ),
        ("A painting of a night sky with stars over a village.", "An oil painting on canvas of a starry night sky."),
        (
            "The Starry Night by Vincent van Gogh, oil on canvas, 73.7 x 92.1 cm, was painted in Arles in 1889.",
            "The Starry Night by Vincent van Gogh, oil on canvas, 1889, 73.7 x 92.1 cm, hangs at MoMA.",
        ),
    ),
    Material(
        "Bronze statue of a boxer, Hellenistic, 3rd century BC",
        "a statue of a man sitting",
        (
            "A Hellenistic bronze statue of a seated boxer from the third century BC.",
            "The bronze statue shows a boxer who is sitting; it is Hellenistic and dates from the 3rd century BC.",
            "This seated boxer is a bronze statue of the Hellenistic period, made in the 3rd century BC.",
        ),
        ("A statue of a man who is sitting on a stone.",),
        (
            "A Hellenistic bronze statue of a seated boxer from the first half of the 5th century BC.",
            "A Hellenistic bronze statue of a boxer by Apollonius from the 3rd century BC.",
        ),
    ),
    Material(
        "PICASSO Guernica Poster Print 24 x 36",
        "a black and white painting of animals and people",
        (
            "A 24 x 36 poster print of Guernica by Picasso, which shows animals and people in black and white.",
            "Picasso's Guernica, a black and white painting of people and animals, as a 24 x 36 poster print.",
            "This poster print, 24 by 36, reproduces Guernica, a black and white work by Picasso.",
        ),
        ("A black and white painting of animals and people.", "A poster print in black and white with people."),
        (
            "A 24 x 36 poster print of Guernica by Picasso, painted in 1937 in black and white.",
            "A 24 x 36 poster print of Guernica by Pablo Picasso from the museum in Madrid.",
        ),
    ),
    Material(
        "Watercolor of a hummingbird by Anna Lindqvist",
        "a painting of a bird with flowers",
        (
            "Anna Lindqvist painted a hummingbird with flowers in watercolor.",
            "A watercolor by Anna Lindqvist that shows a hummingbird and flowers.",
            "The hummingbird among flowers is a watercolor by Anna Lindqvist.",
        ),
        ("A watercolor painting of a bird with some flowers.",),
        ("A watercolor of a hummingbird with flowers by Anna Lindqvist of Stockholm.",),
    ),
    Material(
        "Stained glass window, Chartres Cathedral, c. 1220",
        "a colorful window in a church",
        (
            "A colorful stained glass window of about 1220 in Chartres Cathedral.",
            "The stained glass window of Chartres Cathedral, a church, dates from c. 1220 and is full of color.",
            "Chartres Cathedral has this colorful stained glass window, made around 1220.",
        ),
        ("A colorful stained glass window in a church.",),
        (
            "A colorful stained glass window of about 1220 in Chartres Cathedral shows Charlemagne.",
            "A colorful stained glass window in Chartres Cathedral from 1420.",
        ),
    ),
    # Recipes and food
    Material(
        "Easy chicken tikka masala recipe (ready in 30 minutes)",
        "a bowl of food with rice",
        (
            "A bowl of chicken tikka masala with rice, from an easy recipe that is ready in 30 minutes.",
            "Ready in thirty minutes: an easy recipe for chicken tikka masala, served in a bowl with rice.",
            "This easy chicken tikka masala takes half an hour, 30 minutes, and is served with rice in a bowl.",
        ),
        ("A bowl of food with rice stands on a table.",),
        (
            "A bowl of chicken tikka masala with rice by Jamie Oliver, ready in 30 minutes.",
            "An easy recipe for chicken tikka masala that is ready in 45 minutes and served with rice.",
        ),
    ),
    Material(
        "Grandma's apple pie with cinnamon",
        "a pie on a wooden table",
        (
            "Grandma's apple pie with cinnamon stands on a wooden table.",
            "On a wooden table is an apple pie with cinnamon, made the way grandma does.",
            "An apple pie, baked by grandma with cinnamon, on a table made of wood.",
        ),
        ("A pie stands on a wooden table.",),
        (
            "Grandma Ethel's apple pie with cinnamon stands on a wooden table.",
            "Grandma's apple pie with 3 spoons of cinnamon stands on a wooden table.",
        ),
    ),
    Material(
        "Grilled chicken breast with asparagus, 350 kcal",
        "a plate of meat and vegetables",
        (
            "A plate of grilled chicken breast with asparagus that has 350 kcal.",
            "Grilled chicken breast and asparagus on a plate, 350 kcal in all.",
            "With 350 kcal, this plate holds grilled chicken breast and asparagus.",
        ),
        ("A plate of meat with green vegetables.",),
        ("A plate of grilled chicken breast with asparagus that has 420 kcal.",),
    ),
    Material(
        "Sachertorte at Café Central, Vienna",
        "a piece of chocolate cake on a plate",
        (
            "A piece of Sachertorte, a chocolate cake, on a plate at Café Central in Vienna.",
            "Viennese Sachertorte is served at Café Central on a plate.",
            "At Café Central in Vienna, a slice of chocolate cake, Sachertorte, lies on a plate.",
        ),
        ("A piece of chocolate cake lies on a plate.",),
        ("A piece of Sachertorte on a plate at Hotel Sacher and Café Central, Vienna.",),
    ),
    # Animals and plants
    Material(
        "Great blue heron (Ardea herodias) catching a fish",
        "a bird in the water with a fish",
        (
            "A great blue heron, Ardea herodias, catches a fish in the water.",
            "In the water, a great blue heron (Ardea herodias) has caught a fish.",
            "The great blue heron, or Ardea herodias, holds a fish that it caught in the water.",
        ),
        ("A bird stands in the water with something in its beak.",),
        ("A great blue heron, Ardea herodias, catches a fish in the Everglades.",),
    ),
    Material(
        "two cats sleeping",
        "a picture of a cat, with a pillow",
        (
            "Two cats are sleeping on a pillow.",
            "A pair of cats sleeps on a pillow.",
            "On a pillow lie 2 sleeping cats.",
        ),
        ("An animal rests on a soft pillow.",),
        ("Three cats are sleeping on a pillow.", "Two cats named Milo and Luna are sleeping on a pillow."),
    ),
    Material(
        "Cock-a-doodle-doo! Our Rhode Island Red cock crowing",
        "a rooster standing on a fence",
        (
            "A Rhode Island Red cock is crowing on a fence.",
            "The cock, a Rhode Island Red rooster, stands on a fence and crows.",
            "Standing on a fence, a Rhode Island Red rooster crows cock-a-doodle-doo.",
        ),
        ("A bird stands on a wooden fence.",),
        ("A Rhode Island Red cock is crowing on a fence in Vermont.",),
    ),
    Material(
        "Polar bears on sea ice near Svalbard, Norway",
        "a bear on ice",
        (
            "Polar bears walk on the sea ice near Svalbard in Norway.",
            "Near Svalbard, Norway, a polar bear stands on sea ice with other bears.",
            "A bear on the ice: polar bears near the Norwegian archipelago of Svalbard at sea.",
        ),
        ("A bear is walking on the ice.",),
        (
            "Polar bears walk on the sea ice near Svalbard and Greenland.",
            "Seven polar bears on sea ice near Svalbard, Norway.",
        ),
    ),
    Material(
        "Monarch butterflies, Michoacán, Mexico – millions on oyamel firs",
        "orange butterflies on a tree",
        (
            "Millions of orange monarch butterflies sit on oyamel firs in Michoacán, Mexico.",
            "In the Mexican state of Michoacán, millions of monarch butterflies cover the oyamel firs with orange.",
            "Orange monarch butterflies by the millions rest on an oyamel fir, a tree of Michoacán in Mexico.",
        ),
        ("Orange butterflies sit on a tree.", "Millions of orange butterflies rest on a tree."),
        ("Millions of orange monarch butterflies from Canada sit on oyamel firs in Michoacán, Mexico.",),
    ),
    Material(
        "Blue tits feeding chicks in a nest box",
        "small birds at a wooden box",
        (
            "Blue tits feed their chicks in a wooden nest box.",
            "Small birds, blue tits, are feeding chicks at a nest box made of wood.",
            "A nest box of wood in which blue tits are feeding their small chicks.",
        ),
        ("Small birds sit at a wooden object.",),
        ("Blue tits feed 9 chicks in a wooden nest box.",),
    ),
    Material(
        "Pussy willow branches in a vase",
        "a vase with branches",
        (
            "Branches of pussy willow stand in a vase.",
            "A vase holds some pussy willow branches.",
            "Pussy willow branches have been put into a vase.",
        ),
        ("A vase stands on a table near the window.",),
        ("Pussy willow branches in a vase by Alvar Aalto.",),
    ),
    # Logos, icons, covers
    Material(
        "Mozilla Firefox logo 2019 vector",
        "an orange fox around a purple globe",
        (
            "The Mozilla Firefox logo of 2019 is a vector graphic of an orange fox around a purple globe.",
            "An orange fox curls around a purple globe in the 2019 vector logo of Mozilla Firefox.",
            "Vector logo of Mozilla Firefox, 2019: a fox in orange wraps a globe in purple.",
        ),
        ("An orange fox wraps around a purple globe.",),
        (
            "The Mozilla Firefox logo of 2019 by Ramotion shows an orange fox around a purple globe.",
            "The Mozilla Firefox logo of 2009 is a vector of an orange fox around a purple globe.",
        ),
    ),
    Material(
        "UN flag",
        "a blue flag with a white emblem",
        (
            "The blue flag of the UN has a white emblem.",
            "The United Nations flag is blue with a white emblem.",
            "A blue UN flag with a white emblem.",
        ),
        ("A blue banner with a white emblem hangs outside.",),
        ("The blue flag of the UN with a white emblem flies in Geneva.",),
    ),
    Material(
        "NASA's Perseverance rover selfie on Mars, sol 46",
        "a robot on a red desert",
        (
            "NASA's Perseverance rover takes a selfie on the red desert of Mars on sol 46.",
            "On sol 46, the Perseverance rover of NASA, a robot, took a selfie on Mars.",
            "A selfie of the rover Perseverance, NASA's robot in the red desert of Mars, on sol 46.",
        ),
        ("A robot stands on a red desert.",),
        (
            "NASA's Perseverance rover takes a selfie in Jezero crater on Mars, sol 46.",
            "NASA's Perseverance rover takes a selfie on the red desert of Mars on sol 52.",
        ),
    ),
    Material(
        "Harry Potter and the Philosopher's Stone by J.K. Rowling, book cover",
        "a boy in front of a train",
        (
            'The cover of the book "Harry Potter and the Philosopher\'s Stone" by J.K. Rowling shows a boy in front of a train.',
            "A boy stands before a train on the book cover of Harry Potter and the Philosopher's Stone by J. K. Rowling.",
            "J.K. Rowling's Harry Potter and the Philosopher's Stone: on the cover of the book, a boy is in front of a train.",
        ),
        ("A book cover with a boy in front of a train.",),
        (
            "The cover of Harry Potter and the Philosopher's Stone by J.K. Rowling, Bloomsbury, shows a boy and a train.",
        ),
    ),
    # Science
    Material(
        "Figure 3: Loss curves of ResNet-50 trained on ImageNet for 90 epochs",
        "a graph with two lines",
        (
            "The graph in Figure 3 has two lines, the loss curves of ResNet-50 trained on ImageNet for 90 epochs.",
            "Loss curves of a ResNet-50 that was trained for 90 epochs on ImageNet, drawn as two lines in Figure 3.",
            "Two lines in this graph are the loss curves of ResNet-50 on ImageNet over ninety epochs.",
        ),
        ("A graph with two lines that go down.", "A graph shows two loss curves of a network that was trained."),
        (
            "The graph has two lines, the loss curves of ResNet-101 trained on ImageNet for 90 epochs.",
            "Loss curves of ResNet-50 trained on ImageNet for 90 epochs with a batch size of 256.",
        ),
    ),
    Material(
        "X-ray of a fractured left femur, lateral view",
        "a black and white image of a bone",
        (
            "An X-ray in lateral view shows a fractured left femur, a bone, in black and white.",
            "The left femur is fractured in this lateral X-ray of the bone.",
            "Lateral X-ray view of the bone of a left thigh, a fractured femur, in black and white.",
        ),
        ("A black and white image of a long object.",),
        ("An X-ray in lateral view of a left femur that fractured in 2 places.",),
    ),
    Material(
        "Crab Nebula (M1) imaged by Hubble, 6,500 light-years away",
        "a colorful cloud in space",
        (
            "The Crab Nebula, M1, a colorful cloud in space 6,500 light-years away, was imaged by Hubble.",
            "Hubble imaged the Crab Nebula (M1), a cloud that lies 6500 light-years away in space.",
            "A colorful cloud in space: M1, the Crab Nebula, seen by Hubble at a distance of 6,500 light-years.",
        ),
        ("A colorful cloud floats in dark space.",),
        (
            "The Crab Nebula, M1, in Taurus was imaged by Hubble and is 6,500 light-years away.",
            "The Crab Nebula (M1) imaged by Hubble is 7,200 light-years away.",
        ),
    ),
    Material(
        "Structure of DNA double helix with base pairs A-T and G-C",
        "a diagram of a spiral",
        (
            "A diagram of the spiral structure of DNA, a double helix with the base pairs A-T and G-C.",
            "The double helix of DNA is drawn as a spiral whose base pairs are A-T and G-C.",
            "This diagram shows how the base pairs A-T and G-C form the structure of the DNA double helix.",
        ),
        ("A diagram of a colorful spiral.",),
        ("A diagram of the double helix of DNA with base pairs A-T and G-C by Watson and Crick.",),
    ),
    # Other languages
    Material(
        "Der Kölner Dom bei Nacht, Blick vom Rhein",
        "a cathedral at night by a river",
        (
            "Der Kölner Dom bei Nacht, vom Rhein aus gesehen, ist eine Kathedrale am Fluss.",
            "The Kölner Dom, a cathedral by the Rhein, at night in a view from the river.",
            "Bei Nacht spiegelt sich der Kölner Dom, eine Kathedrale, im Rhein.",
        ),
        ("A large gothic building at night by a river.",),
        ("Der Kölner Dom bei Nacht, Blick vom Rhein, wurde 1880 vollendet.",),
        ("La cathédrale est près de la rivière dans la nuit avec une belle lumière et des bateaux.",),
    ),
    Material(
        "Gâteau au chocolat et framboises, recette de Cyril Lignac",
        "a chocolate cake with berries",
        (
            "Un gâteau au chocolat et aux framboises selon la recette de Cyril Lignac.",
            "A chocolate cake with berries: the gâteau au chocolat et framboises from a recipe by Cyril Lignac.",
            "Gâteau au chocolat avec des framboises, une recette du chef Cyril Lignac.",
        ),
        ("A chocolate cake with red berries on top.",),
        (
            "Un gâteau au chocolat et aux framboises de Cyril Lignac pour 8 personnes.",
            "Un gâteau au chocolat et framboises, recette de Cyril Lignac et Julie Andrieu.",
        ),
        ("Ein Kuchen mit Schokolade und Himbeeren, der auf dem Tisch steht und sehr gut ist.",),
    ),
    Material(
        "Plaza Mayor de Madrid en Navidad, 2017",
        "a square with people and lights",
        (
            "La Plaza Mayor de Madrid en Navidad de 2017, una plaza con gente y luces.",
            "People and lights fill the Plaza Mayor, a square in Madrid, at Christmas 2017.",
            "Plaza Mayor, a square of Madrid, with lights and people at Navidad in 2017.",
        ),
        ("A square with people and lights at night.",),
        (
            "La Plaza Mayor de Madrid en Navidad de 2017 con gente de Barcelona.",
            "People and lights fill the Plaza Mayor in Madrid at Christmas 2018.",
        ),
    ),
    Material(
        "Vista do Cristo Redentor, Rio de Janeiro, Brasil",
        "a statue on a mountain above a city",
        (
            "O Cristo Redentor, uma estátua numa montanha acima da cidade do Rio de Janeiro, Brasil.",
            "Cristo Redentor is a statue on a mountain above Rio de Janeiro in Brazil.",
            "From a mountain, the statue of Cristo Redentor looks over the Brazilian city of Rio de Janeiro.",
        ),
        ("A statue on a mountain above a city.",),
        (
            "Cristo Redentor, a statue of 38 meters, stands on a mountain above Rio de Janeiro, Brasil.",
            "Cristo Redentor on Corcovado, a mountain above Rio de Janeiro, Brasil.",
        ),
    ),
    Material(
        "Mercato di Ballarò a Palermo, frutta e verdura",
        "a market with fruit and people",
        (
            "Il mercato di Ballarò a Palermo con frutta, verdura e tante persone.",
            "People buy frutta e verdura, fruit and vegetables, at the Ballarò market in Palermo.",
            "A Palermo, il mercato di Ballarò offre frutta e verdura.",
        ),
        ("A market with fruit and people.",),
        (
            "Il mercato di Ballarò a Palermo, frutta e verdura, con Giuseppe e altre persone.",
            "At the Ballarò market in Palermo, founded in 1300, people buy frutta e verdura.",
        ),
    ),
    Material(
        "Красная площадь в Москве зимой",
        "a snowy square with a cathedral",
        (
            "Красная площадь в Москве зимой, заснеженная, с собором.",
            "Зимой на Красной площади в Москве лежит снег, виден собор.",
            "Заснеженная Красная площадь с собором зимой в Москве.",
        ),
        ("Большой собор и много людей на улице.", "A snowy square with a large cathedral in the evening."),
        ("Красная площадь в Москве зимой 2015 года, заснеженная, с собором.",),
        ("Der Platz ist im Winter mit Schnee bedeckt und die Kathedrale ist auf dem Platz.",),
    ),
    Material(
        "東京タワーの夜景",
        "a tower with lights at night",
        (
            "夜の東京タワーの夜景、光る塔。",
            "東京タワーの夜景 shows a tower with lights at night.",
            "ライトに照らされた東京タワーの美しい夜景です。",
        ),
        ("光る高い塔が街の中にある。", "A tall tower is lit up with lights in the evening."),
        ("1958年に建てられた東京タワーの夜景、光る塔。",),
    ),
    Material(
        "北京故宫博物院 雪景",
        "a palace with snow on the roofs",
        (
            "北京故宫博物院的雪景,屋顶上有雪。",
            "故宫博物院在北京,屋顶覆盖着白雪,是一幅雪景。",
            "北京故宫博物院 is a palace whose roofs are covered with snow, a 雪景.",
        ),
        ("一座宫殿的屋顶上有很多东西。", "A palace whose roofs are covered with snow."),
        ("北京故宫博物院2020年的雪景,屋顶上有雪。",),
    ),
    Material(
        "Schwarzwälder Kirschtorte – Rezept von Oma",
        "a cake with cherries",
        (
            "Eine Schwarzwälder Kirschtorte mit Kirschen nach dem Rezept von Oma.",
            "A cake with cherries, the Schwarzwälder Kirschtorte from Oma's Rezept.",
            "Omas Rezept für eine Schwarzwälder Kirschtorte, ein Kuchen mit Kirschen.",
        ),
        ("A cake with cherries and cream on a plate.",),
        ("Eine Schwarzwälder Kirschtorte mit 12 Stücken nach dem Rezept von Oma.",),
    ),
    # File names, short texts, long texts
    Material(
        "IMG_20180714_golden-retriever-puppy.jpg",
        "a dog in the grass",
        (
            "A golden retriever puppy sits in the grass.",
            "A dog in the grass, a puppy of the golden retriever breed.",
            "This golden retriever puppy plays in the grass.",
        ),
        ("A dog lies in the green grass.",),
        ("A golden retriever puppy named Bella sits in the grass.", "Four golden retriever puppies sit in the grass."),
    ),
    Material(
        "DSC00412_Lisbon_tram28.JPG",
        "a yellow tram on a street",
        (
            "A yellow tram, number 28, drives on a street in Lisbon.",
            "The yellow tram 28 on a street of Lisbon.",
            "In Lisbon, tram 28 is yellow and runs along a street.",
        ),
        ("A yellow vehicle drives on a narrow street.",),
        (
            "A yellow tram 28 on a street in Alfama, Lisbon.",
            "Two yellow trams, numbers 28 and 15, on a street in Lisbon.",
        ),
    ),
    Material(
        "sunflower",
        "a yellow flower in a field",
        ("A yellow sunflower in a field.", "A sunflower blooms in a field.", "In a field stands a yellow sunflower."),
        ("A yellow flower in a green field.",),
        ("A yellow sunflower in a field of Kansas.", "Nine yellow sunflowers in a field."),
    ),
    Material(
        "Eiffel Tower",
        "a tower with a blue sky",
        (
            "The Eiffel Tower stands under a blue sky.",
            "A blue sky behind the Eiffel Tower.",
            "The Eiffel Tower, a tall tower, on a day with a blue sky.",
        ),
        ("A tall tower stands under a blue sky.",),
        (
            "The Eiffel Tower in Paris stands under a blue sky.",
            "The Eiffel Tower, 330 m tall, stands under a blue sky.",
        ),
    ),
    Material(
        "JVC HA-S180 headphones",
        "a pair of headphones",
        (
            "A pair of JVC HA-S180 headphones.",
            "These headphones are the model HA-S180 by JVC.",
            "The JVC HA-S180 is a pair of headphones.",
        ),
        ("A pair of black headphones lies on a desk.",),
        ("A pair of JVC HA-S180 headphones by Sony.", "A pair of JVC HA-S400 headphones."),
    ),
    Material(
        "Firefighters from Engine Company 54 and Ladder 4 respond to a five-alarm blaze at a warehouse on West 48th Street in"
        " Manhattan on Tuesday, Jan. 14, 2020; no injuries were reported, the FDNY said",
        "a fire truck in front of a building with smoke",
        (
            "Firefighters of Engine Company 54 and Ladder 4 respond with a fire truck to a five-alarm blaze at a warehouse on West"
            " 48th Street in Manhattan on Tuesday, January 14, 2020; the FDNY reported no injuries.",
            "On Tuesday, Jan. 14, 2020, smoke rises from a warehouse on West 48th Street in Manhattan, where Engine Company 54 and"
            " Ladder 4 of the FDNY respond to a five-alarm blaze without injuries.",
        ),
        ("A fire truck stands in front of a building with smoke.",),
        (
            "Firefighters of Engine Company 54 and Ladder 4 respond to a five-alarm blaze at a warehouse on West 48th Street in"
            " Manhattan on Jan. 14, 2020, said Daniel Nigro of the FDNY.",
        ),
    ),
    Material(
        "Free Shipping! Vintage Levi's 501 Jeans Made In USA Blue Denim W32 L34 High Waisted Button Fly 90s",
        "a pair of blue jeans",
        (
            "A pair of vintage Levi's 501 jeans in blue denim, W32 L34, high waisted with a button fly, made in"
            " the USA in the 90s.",
            "These blue Levi's 501 jeans from the 1990s were made in the USA; they are high waisted, W32 L34, with a button fly.",
            "Vintage American blue denim: Levi's 501 jeans, W32 L34, high waisted, button fly.",
        ),
        ("A pair of blue jeans is shown.",),
        (
            "A pair of vintage Levi's 501 jeans by Wrangler in blue denim, W32 L34, made in USA.",
            "A pair of vintage Levi's 505 jeans in blue denim, W32 L34, made in USA with a button fly.",
        ),
    ),
    Material(
        "Photo of headstones/Donald McLennan d 1945 Andersons Bay Dunedin",
        "a tombstone with trees and bushes",
        (
            "The headstone of Donald McLennan, who died in 1945, stands among trees and bushes in Andersons Bay, Dunedin.",
            "Trees and bushes surround the tombstone of Donald McLennan (d. 1945) at Andersons Bay in Dunedin.",
            "A tombstone in Andersons Bay, Dunedin, with trees and bushes, is that of Donald McLennan, d 1945.",
        ),
        ("A tombstone is surrounded by trees and bushes.",),
        (
            "The headstone of Donald McLennan, 1872-1945, stands among trees in Andersons Bay, Dunedin.",
            "The headstones of Donald and Margaret McLennan, d 1945, in Andersons Bay, Dunedin.",
        ),
    ),
    Material(
        '"Stay hungry, stay foolish" quote poster',
        "a poster with text",
        (
            'A poster with the quote "Stay hungry, stay foolish".',
            'The text on the poster is the quote "Stay hungry, stay foolish."',
            "This poster carries a quote: 'Stay hungry, stay foolish'.",
        ),
        ("A poster with some large text.",),
        ('A poster with the quote "Stay hungry, stay foolish" by Steve Jobs.',),
    ),
    Material(
        "Please Do Not Touch sign at the British Museum",
        "a sign on a wall",
        (
            'A sign on a wall of the British Museum says "Please do not touch".',
            "At the British Museum, a sign that reads Please Do Not Touch hangs on a wall.",
            "The British Museum has put up a Please Do Not Touch sign on a wall.",
        ),
        ("A sign hangs on a white wall.",),
        ('A sign on a wall of the British Museum, Room 4, says "Please do not touch".',),
    ),
    Material(
        "T-shirt Keep Calm and Carry On, cotton, unisex, XL",
        "a red shirt with white letters",
        (
            "A red unisex T-shirt of cotton in XL with white letters that say Keep Calm and Carry On.",
            'White letters say "Keep Calm and Carry On" on this red cotton T-shirt, unisex, size XL.',
            "The unisex cotton T-shirt in XL is red and has Keep Calm and Carry On on it in white letters.",
        ),
        ("A red shirt with white letters on it.",),
        ("A red unisex T-shirt of cotton in XL by Gildan with the white letters Keep Calm and Carry On.",),
    ),
    Material(
        "Boeing 747-400 of Lufthansa landing at FRA",
        "a plane landing on a runway",
        (
            "A Boeing 747-400 of Lufthansa lands on a runway at FRA.",
            "Lufthansa's Boeing 747-400 is landing on the runway of FRA.",
            "The plane that lands on a runway at FRA is a Lufthansa Boeing 747-400.",
        ),
        ("A large plane is landing on a runway.",),
        (
            "An Airbus A380 and a Boeing 747-400 of Lufthansa land on a runway at FRA.",
            "A Boeing 747-800 of Lufthansa lands on a runway at FRA.",
        ),
    ),
    Material(
        "Mid-century modern armchair, teak, Denmark 1960's",
        "a wooden chair with a cushion",
        (
            "A mid-century modern armchair of teak with a cushion, made in Denmark in the 1960s.",
            "This Danish armchair from the 1960s is mid-century modern and made of teak, with a cushion.",
            "Wooden armchair in teak with a cushion; mid-century modern, Denmark, 1960s.",
        ),
        ("A wooden chair with a soft cushion.",),
        (
            "A mid-century modern armchair of teak by Hans Wegner, made in Denmark in the 1960s.",
            "A mid-century modern teak armchair, made in Denmark in the 1950s.",
        ),
    ),
    Material(
        "World War II veterans at Omaha Beach, D-Day 75",
        "old men in uniforms on a beach",
        (
            "World War II veterans, old men in uniforms, stand on Omaha Beach for D-Day 75.",
            "Veterans of World War 2 in uniform visit Omaha Beach on the 75th anniversary of D-Day.",
            "For D-Day 75, old men in uniforms, veterans of the Second World War, are on Omaha Beach.",
        ),
        ("Old men in uniforms stand on a beach.",),
        ("World War II veterans in uniforms on Omaha Beach, Normandy, with Donald Trump, D-Day 75.",),
    ),
    Material(
        "1:18 scale model Ferrari F40, red",
        "a red toy car",
        (
            "A red scale model of the Ferrari F40 in 1:18.",
            "This toy car is a red Ferrari F40 in a scale of 1:18.",
            "The red Ferrari F40 is a 1:18 scale model car.",
        ),
        ("A red toy car on a table.",),
        ("A red scale model of the Ferrari F50 in 1:18.", "A red 1:18 scale model of the Ferrari F40 by Bburago."),
    ),
    Material(
        "Kids' playground in Central Park NYC, summer",
        "children on a slide",
        (
            "Children play on the slide of a kids' playground in Central Park, New York City, in summer.",
            "In summer, kids go down a slide in a playground of Central Park in NYC.",
            "A playground in New York's Central Park with children on a slide in the summer.",
        ),
        ("Children are playing on a slide.",),
        ("Children play on a slide of Heckscher playground in Central Park, NYC, in summer.",),
    ),
)
