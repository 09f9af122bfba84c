"""Self-tests of what the module does to the scene in a real Slicer: files, transforms, sample data, DICOM places."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import slicer

sys.path.append(str(Path(__file__).resolve().parent))
from self_test_case import SHAPE, SelfTestCase, disc


class SceneTest(SelfTestCase):
    def subject(self, volume):
        """A segmentation with GM on two slices, and what is followed."""
        from MusclePropLib.scene.annotations import AnnotationTracker, Subject
        from MusclePropLib.scene.segments import create_default_segments

        segmentation = create_default_segments(volume)
        array = np.zeros(slicer.util.arrayFromVolume(volume).shape, np.uint8)
        array[[3, 12]] = disc((30, 40), 9)
        slicer.util.updateSegmentBinaryLabelmapFromArray(array, segmentation, "GM", volume)
        subject = Subject(volume.GetID(), segmentation.GetID(), 0)
        tracker = AnnotationTracker(lambda: None)
        tracker.follow(subject)
        tracker.refresh()
        self._closing.append(lambda: tracker.follow(None))
        return subject, tracker, segmentation

    def accept_discs(self, subject):
        """Accept a result in which GM is a disc everywhere."""
        from MusclePropLib.scene.results import accept

        labels = np.zeros(SHAPE, np.uint8)
        labels[:, disc((30, 40), 7)] = 1
        return accept(subject, ["GM"], labels, {"provenance": {"weights": "none"}, "muscles": [{"name": "GM"}]})

    def test_terminology_is_understood(self):
        segmentation = self.subject(self.add_volume())[2]
        logic = slicer.modules.terminologies.logic()
        for segment_id in segmentation.GetSegmentation().GetSegmentIDs():
            entry = slicer.vtkSlicerTerminologyEntry()
            text = segmentation.GetSegmentation().GetSegment(segment_id).GetTerminology()
            self.assertTrue(logic.DeserializeTerminologyEntry(text, entry), text)
            self.assertTrue(entry.GetTypeObject().GetCodeValue())

    def test_states_survive_files(self):
        for ending in ("seg.nrrd", "mrb"):
            with self.subTest(ending), tempfile.TemporaryDirectory() as folder:
                slicer.mrmlScene.Clear(0)
                subject, _tracker, segmentation = self.subject(self.add_volume())
                self.accept_discs(subject)
                path = str(Path(folder) / f"x.{ending}")
                if ending == "mrb":
                    self.assertTrue(slicer.util.saveScene(path))
                    slicer.mrmlScene.Clear(0)
                    slicer.util.loadScene(path)
                    volume, segmentation = slicer.util.getNode("calf"), slicer.util.getNode("calf muscles")
                else:
                    self.assertTrue(slicer.util.saveNode(segmentation, path))
                    volume, segmentation = subject.nodes()[0], slicer.util.loadSegmentation(path)
                self.assertEqual(self.states(volume, segmentation).drawn, {3, 12})
                self.assertEqual(len(self.states(volume, segmentation).filled), SHAPE[0] - 2)

    def states(self, volume, segmentation):
        from MusclePropLib.scene.geometry import volume_geometry
        from MusclePropLib.scene.states import read_states
        from MusclePropLib.scene.voxels import segment_voxels

        segment_id = segmentation.GetSegmentation().GetSegmentIdBySegmentName("GM")
        voxels = segment_voxels(segmentation, segment_id, volume_geometry(volume), 0)
        return read_states(segmentation.GetSegmentation().GetSegment(segment_id), voxels)

    def test_result_lies_in_a_transformed_volume(self):
        volume = self.add_volume()
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = np.array([[0, -1, 0, 9], [1, 0, 0, 4], [0, 0, 2, -8], [0, 0, 0, 1.0]])
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        volume.SetAndObserveTransformNodeID(transform.GetID())
        subject, _, segmentation = self.subject(volume)
        self.assertEqual(segmentation.GetTransformNodeID(), transform.GetID())
        self.accept_discs(subject)
        volume.HardenTransform()
        segmentation.HardenTransform()
        found = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "GM", volume) > 0
        np.testing.assert_array_equal(found[5], disc((30, 40), 7))

    @unittest.skipUnless(importlib.util.find_spec("SegmentStatistics"), "needs Slicer's Segment Statistics")
    def test_volumes_are_those_of_segment_statistics(self):
        from SegmentStatistics import SegmentStatisticsLogic

        from MusclePropLib.scene.measures import measure_node

        subject, _, segmentation = self.subject(self.add_volume())
        self.accept_discs(subject)
        logic = SegmentStatisticsLogic()
        logic.getParameterNode().SetParameter("Segmentation", segmentation.GetID())
        logic.computeStatistics()
        counted = float(logic.getStatistics()["GM", "LabelmapSegmentStatisticsPlugin.volume_cm3"])
        self.assertAlmostEqual(measure_node(subject)[0].volume_ml, counted, places=4)

    def test_stands_beside_the_volume_in_the_subject_hierarchy(self):
        volume = self.add_volume()
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient")
        study = hierarchy.CreateStudyItem(patient, "study")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
        segmentation = self.subject(volume)[2]
        self.assertEqual(hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation)), study)

    def test_preview_is_not_listed_and_leaves_no_node(self):
        from MusclePropLib.scene.preview import Preview

        subject = self.subject(self.add_volume())[0]
        before = slicer.mrmlScene.GetNumberOfNodes()
        preview = Preview(subject, ["GM"], show_3d=True)
        preview.show(np.ones(SHAPE, np.uint8))
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        self.assertTrue(preview.node.GetHideFromEditors())
        self.assertFalse(preview.node.GetSaveWithScene())
        item = hierarchy.GetItemByDataNode(preview.node)
        self.assertIn(item, (0, hierarchy.GetInvalidItemID()), "it is in no list that the expert sees")
        preview.remove()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_sample_data(self):
        from SampleData import SampleDataLogic

        from MuscleProp import MODULE_RESOURCES
        from MusclePropLib.gui.sample_data import CATEGORY, register_sample_data
        from MusclePropLib.scene.annotations import read_annotations

        register_sample_data(MODULE_RESOURCES)
        source = SampleDataLogic.sampleDataSourcesByCategory(CATEGORY)[0]
        volume, segmentation = SampleDataLogic().downloadFromSource(source)
        annotations, _ids = read_annotations(volume, segmentation, 0)
        self.assertEqual([m.name for m in annotations.muscles], ["GM", "GL", "SOL"])
        self.assertTrue(all(2 <= len(m.drawn) <= 5 for m in annotations.muscles))
