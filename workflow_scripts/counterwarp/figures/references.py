"""What the methods paragraph may cite: the key in its brackets -> the reference."""

REFERENCES = {
    "Arsigny 2006": "Arsigny et al., A log-Euclidean framework for statistics on diffeomorphisms, MICCAI 2006",
    "Ashburner 2000": "Ashburner and Friston, Voxel-based morphometry: the methods, NeuroImage 11, 2000",
    "Avants 2008": "Avants et al., Symmetric diffeomorphic image registration with cross-correlation, Med. Image "
    "Anal. 12, 2008",
    "Avants 2011a": "Avants et al., A reproducible evaluation of ANTs similarity metric performance, NeuroImage "
    "54, 2011",
    "Avants 2011b": "Avants et al., An open source multivariate framework for n-tissue segmentation, "
    "Neuroinformatics 9, 2011",
    "Baumgartner 2018": "Baumgartner et al., Visual feature attribution using Wasserstein GANs, CVPR 2018",
    "Benjamini 1995": "Benjamini and Hochberg, Controlling the false discovery rate, J. R. Stat. Soc. B 57, 1995",
    "Lanfredi 2020": "Bigolin Lanfredi et al., Interpretation of disease evidence for medical images using adversarial "
    "deformation fields, MICCAI 2020",
    "Fisch 2024": "Fisch et al., deepbet: fast brain extraction of T1-weighted MRI using convolutional neural "
    "networks, Comput. Biol. Med. 179, 2024",
    "Fonov 2011": "Fonov et al., Unbiased average age-appropriate atlases for pediatric studies, NeuroImage 54, 2011",
    "Goodfellow 2015": "Goodfellow et al., Explaining and harnessing adversarial examples, ICLR 2015",
    "Gorgolewski 2016": "Gorgolewski et al., The brain imaging data structure, Sci. Data 3, 2016",
    "Gulrajani 2017": "Gulrajani et al., Improved training of Wasserstein GANs, NeurIPS 2017",
    "He 2016": "He et al., Deep residual learning for image recognition, CVPR 2016",
    "Iglesias 2011": "Iglesias et al., Robust brain extraction across datasets and comparison with publicly available "
    "methods, IEEE Trans. Med. Imaging 30, 2011",
    "Izmailov 2018": "Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018",
    "Jenkinson 2002": "Jenkinson et al., Improved optimization for the robust and accurate linear registration and "
    "motion correction of brain images, NeuroImage 17, 2002",
    "Jenkinson 2012": "Jenkinson et al., FSL, NeuroImage 62, 2012",
    "Kingma 2015": "Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015",
    "Kokhlikyan 2020": "Kokhlikyan et al., Captum: a unified and generic model interpretability library for PyTorch, "
    "arXiv 2009.07896, 2020",
    "Liu 2021": "Liu et al., Going beyond saliency maps: training deep models to interpret deep models, IPMI 2021",
    "Lowekamp 2013": "Lowekamp et al., The design of SimpleITK, Front. Neuroinform. 7, 2013",
    "Manjón 2010": "Manjón et al., Adaptive non-local means denoising of MR images, J. Magn. Reson. Imaging 31, 2010",
    "Mescheder 2018": "Mescheder et al., Which training methods for GANs do actually converge?, ICML 2018",
    "Mölder 2021": "Mölder et al., Sustainable data analysis with Snakemake, F1000Research 10, 2021",
    "Newcombe 2006": "Newcombe, Confidence intervals for an effect size measure based on the Mann-Whitney "
    "statistic, Stat. Med. 25, 2006",
    "Rohlfing 2010": "Rohlfing et al., The SRI24 multichannel atlas of normal adult human brain structure, Hum. Brain "
    "Mapp. 31, 2010",
    "Seabold 2010": "Seabold and Perktold, Statsmodels: econometric and statistical modeling with Python, SciPy 2010",
    "Selvaraju 2017": "Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based "
    "localization, ICCV 2017",
    "Simonyan 2014": "Simonyan et al., Deep inside convolutional networks, ICLR workshop 2014",
    "Smith 2002": "Smith, Fast robust automated brain extraction, Hum. Brain Mapp. 17, 2002",
    "Springenberg 2015": "Springenberg et al., Striving for simplicity: the all convolutional net, ICLR workshop 2015",
    "Tustison 2010": "Tustison et al., N4ITK: improved N3 bias correction, IEEE Trans. Med. Imaging 29, 2010",
    "Wilson 1927": "Wilson, Probable inference, the law of succession, and statistical inference, J. Am. Stat. "
    "Assoc. 22, 1927",
    "Winkler 2014": "Winkler et al., Permutation inference for the general linear model, NeuroImage 92, 2014",
    "Yang 2019": "Yang et al., CondConv: conditionally parameterized convolutions for efficient inference, NeurIPS "
    "2019",
    "Zeiler 2014": "Zeiler and Fergus, Visualizing and understanding convolutional networks, ECCV 2014",
    "Zhu 2017": "Zhu et al., Unpaired image-to-image translation using cycle-consistent adversarial networks, ICCV "
    "2017",
    "Zou 2008": "Zou and Donner, Construction of confidence limits about effect measures, Stat. Med. 27, 2008",
}
