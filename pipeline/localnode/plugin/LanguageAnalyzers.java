package news.analysis;

import org.apache.lucene.analysis.Analyzer;

import org.apache.lucene.analysis.ar.ArabicAnalyzer;
import org.apache.lucene.analysis.bg.BulgarianAnalyzer;
import org.apache.lucene.analysis.bn.BengaliAnalyzer;
import org.apache.lucene.analysis.br.BrazilianAnalyzer;
import org.apache.lucene.analysis.ca.CatalanAnalyzer;
import org.apache.lucene.analysis.cjk.CJKAnalyzer;
import org.apache.lucene.analysis.ckb.SoraniAnalyzer;
import org.apache.lucene.analysis.cz.CzechAnalyzer;
import org.apache.lucene.analysis.da.DanishAnalyzer;
import org.apache.lucene.analysis.de.GermanAnalyzer;
import org.apache.lucene.analysis.el.GreekAnalyzer;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.es.SpanishAnalyzer;
import org.apache.lucene.analysis.et.EstonianAnalyzer;
import org.apache.lucene.analysis.eu.BasqueAnalyzer;
import org.apache.lucene.analysis.fa.PersianAnalyzer;
import org.apache.lucene.analysis.fi.FinnishAnalyzer;
import org.apache.lucene.analysis.fr.FrenchAnalyzer;
import org.apache.lucene.analysis.ga.IrishAnalyzer;
import org.apache.lucene.analysis.gl.GalicianAnalyzer;
import org.apache.lucene.analysis.hi.HindiAnalyzer;
import org.apache.lucene.analysis.hu.HungarianAnalyzer;
import org.apache.lucene.analysis.hy.ArmenianAnalyzer;
import org.apache.lucene.analysis.id.IndonesianAnalyzer;
import org.apache.lucene.analysis.it.ItalianAnalyzer;
import org.apache.lucene.analysis.lt.LithuanianAnalyzer;
import org.apache.lucene.analysis.lv.LatvianAnalyzer;
import org.apache.lucene.analysis.nl.DutchAnalyzer;
import org.apache.lucene.analysis.no.NorwegianAnalyzer;
import org.apache.lucene.analysis.pt.PortugueseAnalyzer;
import org.apache.lucene.analysis.ro.RomanianAnalyzer;
import org.apache.lucene.analysis.ru.RussianAnalyzer;
import org.apache.lucene.analysis.sr.SerbianAnalyzer;
import org.apache.lucene.analysis.sv.SwedishAnalyzer;
import org.apache.lucene.analysis.th.ThaiAnalyzer;
import org.apache.lucene.analysis.tr.TurkishAnalyzer;

import org.elasticsearch.plugin.NamedComponent;
import org.elasticsearch.plugin.analysis.AnalyzerFactory;

/**
 * The language analyzers that Elasticsearch's module analysis-common registers, under the same names and with the
 * same defaults (Lucene's own stop words and stemmers), for a distribution that comes without that module.
 */
public final class LanguageAnalyzers {
    private LanguageAnalyzers() {}

    @NamedComponent("arabic")
    public static final class Arabic implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new ArabicAnalyzer();
        }
    }

    @NamedComponent("armenian")
    public static final class Armenian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new ArmenianAnalyzer();
        }
    }

    @NamedComponent("basque")
    public static final class Basque implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new BasqueAnalyzer();
        }
    }

    @NamedComponent("bengali")
    public static final class Bengali implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new BengaliAnalyzer();
        }
    }

    @NamedComponent("brazilian")
    public static final class Brazilian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new BrazilianAnalyzer();
        }
    }

    @NamedComponent("bulgarian")
    public static final class Bulgarian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new BulgarianAnalyzer();
        }
    }

    @NamedComponent("catalan")
    public static final class Catalan implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new CatalanAnalyzer();
        }
    }

    @NamedComponent("cjk")
    public static final class Cjk implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new CJKAnalyzer();
        }
    }

    @NamedComponent("czech")
    public static final class Czech implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new CzechAnalyzer();
        }
    }

    @NamedComponent("danish")
    public static final class Danish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new DanishAnalyzer();
        }
    }

    @NamedComponent("dutch")
    public static final class Dutch implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new DutchAnalyzer();
        }
    }

    @NamedComponent("english")
    public static final class English implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new EnglishAnalyzer();
        }
    }

    @NamedComponent("estonian")
    public static final class Estonian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new EstonianAnalyzer();
        }
    }

    @NamedComponent("finnish")
    public static final class Finnish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new FinnishAnalyzer();
        }
    }

    @NamedComponent("french")
    public static final class French implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new FrenchAnalyzer();
        }
    }

    @NamedComponent("galician")
    public static final class Galician implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new GalicianAnalyzer();
        }
    }

    @NamedComponent("german")
    public static final class German implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new GermanAnalyzer();
        }
    }

    @NamedComponent("greek")
    public static final class Greek implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new GreekAnalyzer();
        }
    }

    @NamedComponent("hindi")
    public static final class Hindi implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new HindiAnalyzer();
        }
    }

    @NamedComponent("hungarian")
    public static final class Hungarian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new HungarianAnalyzer();
        }
    }

    @NamedComponent("indonesian")
    public static final class Indonesian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new IndonesianAnalyzer();
        }
    }

    @NamedComponent("irish")
    public static final class Irish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new IrishAnalyzer();
        }
    }

    @NamedComponent("italian")
    public static final class Italian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new ItalianAnalyzer();
        }
    }

    @NamedComponent("latvian")
    public static final class Latvian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new LatvianAnalyzer();
        }
    }

    @NamedComponent("lithuanian")
    public static final class Lithuanian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new LithuanianAnalyzer();
        }
    }

    @NamedComponent("norwegian")
    public static final class Norwegian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new NorwegianAnalyzer();
        }
    }

    @NamedComponent("persian")
    public static final class Persian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new PersianAnalyzer();
        }
    }

    @NamedComponent("portuguese")
    public static final class Portuguese implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new PortugueseAnalyzer();
        }
    }

    @NamedComponent("romanian")
    public static final class Romanian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new RomanianAnalyzer();
        }
    }

    @NamedComponent("russian")
    public static final class Russian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new RussianAnalyzer();
        }
    }

    @NamedComponent("serbian")
    public static final class Serbian implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new SerbianAnalyzer();
        }
    }

    @NamedComponent("sorani")
    public static final class Sorani implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new SoraniAnalyzer();
        }
    }

    @NamedComponent("spanish")
    public static final class Spanish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new SpanishAnalyzer();
        }
    }

    @NamedComponent("swedish")
    public static final class Swedish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new SwedishAnalyzer();
        }
    }

    @NamedComponent("thai")
    public static final class Thai implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new ThaiAnalyzer();
        }
    }

    @NamedComponent("turkish")
    public static final class Turkish implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new TurkishAnalyzer();
        }
    }

}
