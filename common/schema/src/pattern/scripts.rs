//! The script of each character (Unicode 17.0), as runs: two letters for the script, and a number of characters.

/// Scripts by their names and their short names, in the order of their letters in [`RUNS`]: `aa`, `ab`, to `gs`.
pub(super) static SCRIPTS: &[(&str, &str)] = &[
    ("Adlam", "Adlm"),
    ("Ahom", "Ahom"),
    ("Anatolian_Hieroglyphs", "Hluw"),
    ("Arabic", "Arab"),
    ("Armenian", "Armn"),
    ("Avestan", "Avst"),
    ("Balinese", "Bali"),
    ("Bamum", "Bamu"),
    ("Bassa_Vah", "Bass"),
    ("Batak", "Batk"),
    ("Bengali", "Beng"),
    ("Beria_Erfe", "Berf"),
    ("Bhaiksuki", "Bhks"),
    ("Bopomofo", "Bopo"),
    ("Brahmi", "Brah"),
    ("Braille", "Brai"),
    ("Buginese", "Bugi"),
    ("Buhid", "Buhd"),
    ("Canadian_Aboriginal", "Cans"),
    ("Carian", "Cari"),
    ("Caucasian_Albanian", "Aghb"),
    ("Chakma", "Cakm"),
    ("Cham", "Cham"),
    ("Cherokee", "Cher"),
    ("Chorasmian", "Chrs"),
    ("Common", "Zyyy"),
    ("Coptic", "Copt"),
    ("Cuneiform", "Xsux"),
    ("Cypriot", "Cprt"),
    ("Cypro_Minoan", "Cpmn"),
    ("Cyrillic", "Cyrl"),
    ("Deseret", "Dsrt"),
    ("Devanagari", "Deva"),
    ("Dives_Akuru", "Diak"),
    ("Dogra", "Dogr"),
    ("Duployan", "Dupl"),
    ("Egyptian_Hieroglyphs", "Egyp"),
    ("Elbasan", "Elba"),
    ("Elymaic", "Elym"),
    ("Ethiopic", "Ethi"),
    ("Garay", "Gara"),
    ("Georgian", "Geor"),
    ("Glagolitic", "Glag"),
    ("Gothic", "Goth"),
    ("Grantha", "Gran"),
    ("Greek", "Grek"),
    ("Gujarati", "Gujr"),
    ("Gunjala_Gondi", "Gong"),
    ("Gurmukhi", "Guru"),
    ("Gurung_Khema", "Gukh"),
    ("Han", "Hani"),
    ("Hangul", "Hang"),
    ("Hanifi_Rohingya", "Rohg"),
    ("Hanunoo", "Hano"),
    ("Hatran", "Hatr"),
    ("Hebrew", "Hebr"),
    ("Hiragana", "Hira"),
    ("Imperial_Aramaic", "Armi"),
    ("Inherited", "Zinh"),
    ("Inscriptional_Pahlavi", "Phli"),
    ("Inscriptional_Parthian", "Prti"),
    ("Javanese", "Java"),
    ("Kaithi", "Kthi"),
    ("Kannada", "Knda"),
    ("Katakana", "Kana"),
    ("Kawi", "Kawi"),
    ("Kayah_Li", "Kali"),
    ("Kharoshthi", "Khar"),
    ("Khitan_Small_Script", "Kits"),
    ("Khmer", "Khmr"),
    ("Khojki", "Khoj"),
    ("Khudawadi", "Sind"),
    ("Kirat_Rai", "Krai"),
    ("Lao", "Laoo"),
    ("Latin", "Latn"),
    ("Lepcha", "Lepc"),
    ("Limbu", "Limb"),
    ("Linear_A", "Lina"),
    ("Linear_B", "Linb"),
    ("Lisu", "Lisu"),
    ("Lycian", "Lyci"),
    ("Lydian", "Lydi"),
    ("Mahajani", "Mahj"),
    ("Makasar", "Maka"),
    ("Malayalam", "Mlym"),
    ("Mandaic", "Mand"),
    ("Manichaean", "Mani"),
    ("Marchen", "Marc"),
    ("Masaram_Gondi", "Gonm"),
    ("Medefaidrin", "Medf"),
    ("Meetei_Mayek", "Mtei"),
    ("Mende_Kikakui", "Mend"),
    ("Meroitic_Cursive", "Merc"),
    ("Meroitic_Hieroglyphs", "Mero"),
    ("Miao", "Plrd"),
    ("Modi", "Modi"),
    ("Mongolian", "Mong"),
    ("Mro", "Mroo"),
    ("Multani", "Mult"),
    ("Myanmar", "Mymr"),
    ("Nabataean", "Nbat"),
    ("Nag_Mundari", "Nagm"),
    ("Nandinagari", "Nand"),
    ("New_Tai_Lue", "Talu"),
    ("Newa", "Newa"),
    ("Nko", "Nkoo"),
    ("Nushu", "Nshu"),
    ("Nyiakeng_Puachue_Hmong", "Hmnp"),
    ("Ogham", "Ogam"),
    ("Ol_Chiki", "Olck"),
    ("Ol_Onal", "Onao"),
    ("Old_Hungarian", "Hung"),
    ("Old_Italic", "Ital"),
    ("Old_North_Arabian", "Narb"),
    ("Old_Permic", "Perm"),
    ("Old_Persian", "Xpeo"),
    ("Old_Sogdian", "Sogo"),
    ("Old_South_Arabian", "Sarb"),
    ("Old_Turkic", "Orkh"),
    ("Old_Uyghur", "Ougr"),
    ("Oriya", "Orya"),
    ("Osage", "Osge"),
    ("Osmanya", "Osma"),
    ("Pahawh_Hmong", "Hmng"),
    ("Palmyrene", "Palm"),
    ("Pau_Cin_Hau", "Pauc"),
    ("Phags_Pa", "Phag"),
    ("Phoenician", "Phnx"),
    ("Psalter_Pahlavi", "Phlp"),
    ("Rejang", "Rjng"),
    ("Runic", "Runr"),
    ("Samaritan", "Samr"),
    ("Saurashtra", "Saur"),
    ("Sharada", "Shrd"),
    ("Shavian", "Shaw"),
    ("Siddham", "Sidd"),
    ("Sidetic", "Sidt"),
    ("SignWriting", "Sgnw"),
    ("Sinhala", "Sinh"),
    ("Sogdian", "Sogd"),
    ("Sora_Sompeng", "Sora"),
    ("Soyombo", "Soyo"),
    ("Sundanese", "Sund"),
    ("Sunuwar", "Sunu"),
    ("Syloti_Nagri", "Sylo"),
    ("Syriac", "Syrc"),
    ("Tagalog", "Tglg"),
    ("Tagbanwa", "Tagb"),
    ("Tai_Le", "Tale"),
    ("Tai_Tham", "Lana"),
    ("Tai_Viet", "Tavt"),
    ("Tai_Yo", "Tayo"),
    ("Takri", "Takr"),
    ("Tamil", "Taml"),
    ("Tangsa", "Tnsa"),
    ("Tangut", "Tang"),
    ("Telugu", "Telu"),
    ("Thaana", "Thaa"),
    ("Thai", "Thai"),
    ("Tibetan", "Tibt"),
    ("Tifinagh", "Tfng"),
    ("Tirhuta", "Tirh"),
    ("Todhri", "Todr"),
    ("Tolong_Siki", "Tols"),
    ("Toto", "Toto"),
    ("Tulu_Tigalari", "Tutg"),
    ("Ugaritic", "Ugar"),
    ("Unknown", "Zzzz"),
    ("Vai", "Vaii"),
    ("Vithkuqi", "Vith"),
    ("Wancho", "Wcho"),
    ("Warang_Citi", "Wara"),
    ("Yezidi", "Yezi"),
    ("Yi", "Yiii"),
    ("Zanabazar_Square", "Zanb"),
];

/// From U+0000 to U+10FFFF. A run without a number is one character.
pub(super) const RUNS: &str = "\
    az65cw26az6cw26az47cwaz15cwaz5cw23azcw31azcw449az39cw5az5an2az20cg112bt4azbt3gl2bt4azbtgl4btazbtazbt3glbtglbt20gl\
    bt63ba14bt16be133cg2be169glae38gl2ae50gl2ae3glcd55gl8cd27gl4cd6gl11ad5azad6azad14azad3azad32azad10cg11ad26cgad108\
    azad34fp14glfp60gl2fp3ad48gb50gl14eb59gl2eb3fb46gl2fb15gldh28gl2dhglfp11gl5ad34gl5ad75azad29bg81cg4bg15az2bg26ak4\
    glak8gl2ak2gl2ak22glak7glakgl3ak4gl2ak9gl2ak2gl2ak4gl8akgl4ak2glak5gl2ak25gl2bw3glbw6gl4bw2gl2bw22glbw7glbw2glbw2\
    glbw2gl2bwglbw5gl4bw2gl2bw3gl3bwgl7bw4glbwgl7bw17gl10bu3glbu9glbu3glbu22glbu7glbu2glbu5gl2bu10glbu3glbu3gl2bugl15\
    bu4gl2bu12gl7bu7gleq3gleq8gl2eq2gl2eq22gleq7gleq2gleq5gl2eq9gl2eq2gl2eq3gl7eq3gl4eq2gleq5gl2eq18gl10fx2glfx6gl3fx3\
    glfx4gl3fx2glfxglfx2gl3fx2gl3fx3gl3fx12gl4fx5gl3fx3glfx4gl2fxgl6fxgl14fx21gl5ga13glga3glga23glga16gl2ga9glga3glga4\
    gl7ga2glga3glga2gl2ga4gl2ga10gl7ga9cl13glcl3glcl23glcl10glcl5gl2cl9glcl3glcl4gl7cl2gl5cl3glcl4gl2cl10glcl3gl12dg13\
    gldg3gldg51gldg3gldg6gl4dg16gl2dg26glfi3glfi18gl3fi24glfi9glfigl2fi7gl3figl4fi6glfiglfi8gl6fi10gl2fi3gl12gc58gl4az\
    gc28gl37cv2glcvglcv5glcv24glcvglcv23gl2cv5glcvglcv7glcv10gl2cv4gl32gd72glgd36gl4gd39glgd36glgd15glgd7az4gd2gl37\
    dv160bp38glbpgl5bpgl2bp43azbp4bz256bn73glbn4gl2bn7glbnglbn4gl2bn41glbn4gl2bn33glbn4gl2bn7glbnglbn4gl2bn15glbn57gl\
    bn4gl2bn67gl2bn32gl3bn26gl6ax86gl2ax6gl2as640ee29gl3fa75az3fa11gl7fq22gl9fqcb21az2gl9ar20gl12fr13glfr3glfr2gl12\
    cr94gl2cr10gl6cr10gl6ds2az2dsazds20gl6ds89gl7ds43gl5as70gl10cy31glcy12gl4cy12gl4cygl3cy12fs30gl2fs5gl11dz44gl4dz26\
    gl6dz11gl3dz2cr32aq28gl2aq2ft63glft29gl2ft11gl6ft10gl6ft14gl2cg46gl2cg12gl20ag77glag50fm64aj52gl8aj4cx56gl3cx15gl3\
    cx3ef48be11gl5bp43gl2bp3fm8gl8cg3azcg13azcg7az4cgaz6cgaz3cg2azgl5cw38bt5becw49bt5cw4bt5cw13becw70btcg64cw256bt22\
    gl2bt6gl2bt38gl2bt6gl2bt8glbtglbtglbtglbt31gl2bt53glbt15glbt14gl2bt6glbt19gl2bt3glbt9glaz12cg2az87glaz11cwgl2az11\
    cwaz15glcw13gl3az34gl14cg33gl15az38btaz3cw2az6cwaz27cwaz17cw41az3gl4az666gl22az11gl21az928ap256az628gl2az138bq96\
    cw32ba116gl5ba7bp38glbpgl5bpgl2ge56gl7ge2gl14gebn23gl9bn7glbn7glbn7glbn7glbn7glbn7glbn7glbn7glbe32az94gl34by26gl\
    by89gl12by214gl26az21byazbyaz25by9cg4bz2az8by4az4glce86gl2cg2az2ce3azcm90az2cm3gl5an43glbz94glaz16an32az38gl9az\
    cm16bz31glaz64bz31az81cm47azcm88az168by6592az64by20992gr1165gl3gr55gl9db48gm300gl20be96ah88gl8az34cw102az3cw82gl20\
    cw15fo45gl3az10gl6ew56gl8fc70gl8fc12gl6bg32co46azcoez36gl11ezbz29gl3cj78glazcj10gl4cj2dv31glaw55gl9aw14gl2aw10gl2\
    aw4dv32fu67gl24fu5dm23gl10bn6gl2bn6gl2bn6gl9bn7glbn7glcw43azcw9btcw4az2gl4ax80dm46gl2dm10gl6bz11172gl12bz23gl4bz49\
    gl8452by366gl2by106gl38cw7gl12ae5gl5cd26glcd5glcdglcd2glcd2glcd10ad494az2ad144gl32ad16cg16az10gl6cg14be2az35glaz19\
    glaz4gl4ad5glad135gl2azglaz32cw26az6cw26az11cm10azcm45az2bz31gl3bz6gl2bz6gl2bz6gl2bz3gl3az7glaz7gl10az5gl2da12gl\
    da26glda19glda2glda15gl2da14gl34da123gl5az3gl4az45gl3az9bt79glaz13gl3btgl47az45cggl130dc29gl3at49gl15cgaz27gl4ei36\
    gl9ei3br27gl5ek43gl5gk30glgkel36gl4el14gl42bf80fe48es30gl2es10gl6er36gl4er36gl4bl40gl8au52gl11augn11glgn15glgn7gl\
    gn2glgn11glgn15glgn7glgn2gl3gg52gl12cz311gl9cz22gl10cz8gl24cw6glcw42glcw9gl69bc6gl2bcglbc44glbc2gl3bcgl2bccf22gl\
    cf9eu32dw31gl8dw9gl48cc19glcc2gl5cc5ex28gl3exdd26gl5ddfg26gl38dp32do24gl4do20gl2do46cp4glcp2gl5cp8glcp3glcp29gl2\
    cp3gl4cp10gl7cp9gl7en32ej32gl32di39gl4di12gl9af54gl3af7ci22gl2ci8ch19gl5ch8ey18gl7ey4gl12ey7gl80eo73gl55eh51gl13\
    eh51gl7eh6ca40gl8ca10gl6bo38gl3bo29gl8bo2gl208ad31glgq42glgq3gl2gq2gl16ad6gl8ad9gl33ad6em40gl8fj42gl22ep26gl38ay28\
    gl20bm23gl9ao78gl4ao36gl9aock67gl10ckgl2fk25gl7fk10gl6av53glav18gl8de39gl9fd96glfi20gl11cs18glcs47gl62du7gldugldu4\
    gldu15gldu11gl6ct59gl5ct10gl6bs4glbs8gl2bs2gl2bs22glbs7glbs2glbs5glcgbs9gl2bs2gl2bs3gl2bsgl6bsgl5bs7gl2bs7gl3bs5\
    gl11gj10glgjgl2gjglgj38glgj10glgjgl2gjglgj4glgj10glgj2gl8gj2gl29ea92glea5gl30gf72gl8gf10gl166ff54gl2ff38gl34dr69\
    gl11dr10gl6ds13gl19fw58gl6fw10gl6dv20gl28ab27gl2ab15gl4ab23gl185bi60gl100gp83gl12gpbh7gl2bhgl2bh8glbh2glbh30glbh2\
    gl2bh12gl9bh10gl70dy8gl2dy46gl2dy11gl27gs72gl8fl83gl13as16ev57gl7bg10gl86fd8gl88fn34gl14fn10gl6am9glam45glam14gl10\
    am29gl3dj32gl2dj22gldj14gl73dk7gldk2gldk44gl3dkgldk2gldk9gl8dk10gl6bv6glbv2glbv37glbv2glbv6gl7bv10gl6gh44gl4gh10\
    gl246df25gl7cn17glcn41gl3cn29gl85dbgl15fx50gl13fxbb922gl102bb111glbb5gl11bb196gl2636bd99gl13bk1110gl10bk3995gl5\
    ac583gl6841bx58gl1734ah569gl7dt31gldt10gl4dt2fy79glfy10gl6ai30gl2ai6gl10et70gl10et10glet7glet21gl5et19gl432cu58\
    gl198dl91gl5al25gl2al25gl44dq75gl4dq57gl7dq17gl64fzecby2cqgl11by7gl9fz6912cq470gl41cqfz31gl97fz115gl8701cm4glcm7gl\
    cm2glcmce287cm3gl15cegl29ce3gl2cmgl14cm4gl8ec396gl2308bj107gl5bj13gl3bj9gl7bj10gl2bj4az4gl3932az253gl3az436gl6az23\
    gl15az17gl15cg46gl2cg23gl9az116gl60az246gl10az39gl2az62cg3az17cg8az2cg7az30cg4az61gl21bt70gl122az20gl12az20gl12\
    az87gl9az25gl135az85glaz71glaz2gl2azgl2az2gl2az4glaz12glazglaz7glaz65glaz4gl2az8glaz7glaz28glaz4glaz5glazgl3az7gl\
    az340gl2az292gl2az50fh652gl15fh5glfh15gl1104cw31gl6cw6gl213bq7glbq17gl2bq7glbq2glbq5gl5be62gl33begl112ed45gl3ed14\
    gl2ed10gl4ed2gl320gi31gl17go58gl5gogl464dx42gl214eg43gl4eggl192fv31glfv22gl8fv2gl224bn7glbn4glbn2glbn15gldn197gl2\
    dn16gl41aa76gl4aa10gl4aa2gl785az68gl76az61gl194ad4glad27glad2gladgl2adglad10glad4gladgladgl6adgl4adgladgladglad3gl\
    ad2gladgl2adgladgladgladgladglad2gladgl2ad4glad7glad4glad4gladglad10glad17gl5ad3glad5glad17gl52ad2gl270az44gl4\
    az100gl12az15gl2az15glaz15glaz37gl10az174gl56az26ceaz2gl13az44gl4az9gl7az2gl14az6gl154az985gl3az17gl3az13gl3az218\
    gl6az12gl4azgl15az12gl4az56gl8az10gl6az40gl8az30gl2az12gl4az2gl14az9gl39az344gl8az14gl2az13gl3az11gl3az57glazgl4\
    az16gl2az12gl4az10gl7az147glaz103gl1029by42720gl32by4382gl2by5774gl2by7473gl15by622gl2466by542gl1506by4939gl5\
    by8490gl707463azgl30az96gl128cg240gl196112\
";
